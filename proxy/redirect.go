package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"go.uber.org/zap"
)

// Redirect mode: packet rules (nftables or iptables, REDIRECT) lead connections here that clients made to an MCP server.
// The kernel knows whom each client dialled; that destination is the local address of the connection from then on, so it
// chooses the server where in reverse mode the path does, and is what the Host header is held against.

// divertedConn is a connection that packet rules led here.
type divertedConn struct {
	*net.TCPConn
	dialled *net.TCPAddr // by its client
}

// LocalAddr implements net.Conn: it is the address that the client dialled.
func (c *divertedConn) LocalAddr() net.Addr { return c.dialled }

// restored gives a connection the destination that its client dialled. One that nobody diverted keeps its own address,
// which is no server's.
func (l *listener) restored(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !l.redirect || !ok {
		return c
	}
	to, err := originalDestination(t)
	if err != nil {
		l.log.Debug("a connection was not diverted", zap.Stringer("peer", c.RemoteAddr()), zap.Error(err))
		return c
	}
	return &divertedConn{TCPConn: t, dialled: net.TCPAddrFromAddrPort(to)}
}

// destinations are the paths of each destination in redirect mode. A destination without an address stands for its port at
// every address that has no paths of its own.
type destinations map[netip.AddrPort]paths

// at returns the paths of the destination of a connection, nil when it is no server's.
func (d destinations) at(local net.Addr) paths {
	to := addrPort(local)
	if found, ok := d[to]; ok {
		return found
	}
	return d[netip.AddrPortFrom(netip.Addr{}, to.Port())]
}

// addrPort returns the address of a TCP connection in the one form in which addresses are compared; the zero one of others.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := t.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// lost is the problem of a request that leads nowhere.
func (h *Handler) lost(x *Exchange) *Problem {
	if to := x.ctx.LocalAddr(); h.routes.diverted != nil && h.routes.diverted.at(to) == nil {
		return &Problem{
			Status: 421, Rule: "destination", Reason: "no server is known at this destination", Close: true,
			Cause: fmt.Errorf("the client dialled %s", to),
		}
	}
	return &Problem{Status: 404, Rule: "path", Reason: "no such path"}
}

// errLoop says what an operator has to mend.
var errLoop = errors.New("packet rules lead the gateway's own connections to a server back to it: exempt its user from them")

// looped is the problem of a request that this gateway itself has sent to a server, nil for any other.
func (h *Handler) looped(x *Exchange) *Problem {
	if !h.routes.outgoing.has(x.ctx.RemoteAddr(), x.ctx.LocalAddr()) {
		return nil
	}
	return &Problem{Status: 508, Rule: "loop", Reason: "the request came back to the gateway", Close: true, Cause: errLoop}
}

// outgoing knows the open connections to servers that were dialled in redirect mode: a connection that comes from where one
// of them begins, and goes where it goes, is that connection. nil knows none.
type outgoing struct {
	mu   sync.Mutex // guards open
	open map[route]struct{}
}

// route is where a connection begins and where it was dialled to.
type route struct{ from, to netip.AddrPort }

// has reports whether a connection was dialled here.
func (o *outgoing) has(from, to net.Addr) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ours := o.open[route{addrPort(from), addrPort(to)}]
	return ours
}

// watch returns a connection that is known until it is closed. Nothing was sent on it yet, so no request comes back before
// it is known.
func (o *outgoing) watch(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if o == nil || !ok {
		return c
	}
	w := &watchedConn{TCPConn: t, among: o, route: route{addrPort(t.LocalAddr()), addrPort(t.RemoteAddr())}}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = map[route]struct{}{}
	}
	o.open[w.route] = struct{}{}
	return w
}

// watchedConn is a connection to a server that outgoing knows.
type watchedConn struct {
	*net.TCPConn
	among *outgoing
	route route
	once  sync.Once
}

// Close implements net.Conn. The connection is forgotten first: afterwards its port may be another's.
func (c *watchedConn) Close() error {
	c.once.Do(func() {
		c.among.mu.Lock()
		defer c.among.mu.Unlock()
		delete(c.among.open, c.route)
	})
	return c.TCPConn.Close()
}
