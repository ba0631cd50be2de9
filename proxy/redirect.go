package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Redirect mode: packet rules (nftables or iptables, REDIRECT) lead connections here that clients made to an MCP server.
// The kernel knows whom each client dialled; that destination is the local address of the connection from then on, so it
// chooses the server where in reverse mode the path does, and is what the Host header is held against.

// divertedConn is a connection that packet rules led here.
type divertedConn struct {
	*net.TCPConn
	dialled *net.TCPAddr // by its client
	among   *loops
	once    sync.Once
}

// LocalAddr implements net.Conn: it is the address that the client dialled.
func (c *divertedConn) LocalAddr() net.Addr { return c.dialled }

// Close implements net.Conn. Like watchedConn.Close it forgets the connection first.
func (c *divertedConn) Close() error {
	c.once.Do(func() { c.among.ended(routeOf(c.RemoteAddr(), c.dialled)) })
	return c.TCPConn.Close()
}

// restored gives a connection the destination that its client dialled. One that nobody diverted keeps its own address,
// which is no server's.
func (l *listener) restored(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if l.loops == nil || !ok {
		return c
	}
	to, err := originalDestination(t)
	if err != nil {
		l.log.Debug("a connection was not diverted", zap.Stringer("peer", c.RemoteAddr()), zap.Error(err))
		to = addrPort(c.LocalAddr())
	}
	d := &divertedConn{TCPConn: t, dialled: net.TCPAddrFromAddrPort(to), among: l.loops}
	l.loops.began(routeOf(c.RemoteAddr(), d.dialled))
	return d
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
	if !h.routes.loops.ours(x.ctx.RemoteAddr(), x.ctx.LocalAddr()) {
		return nil
	}
	return &Problem{Status: 508, Rule: "loop", Reason: "the request came back to the gateway", Close: true, Cause: errLoop}
}

// loops knows, in redirect mode, the open connections to servers and those that were accepted: one that begins and goes
// where another does is that other. nil knows none.
type loops struct {
	mu       sync.Mutex // guards what follows
	dialled  map[route]*watchedConn
	accepted map[route]struct{}
}

// route is where a connection begins and where it was dialled to.
type route struct{ from, to netip.AddrPort }

func routeOf(from, to net.Addr) route { return route{addrPort(from), addrPort(to)} }

// ours reports whether a connection was dialled here.
func (l *loops) ours(from, to net.Addr) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dialled[routeOf(from, to)] != nil
}

// began notes an accepted connection. That it was dialled here may be known already, or only in a moment.
func (l *loops) began(r route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted == nil {
		l.accepted = map[route]struct{}{}
	}
	l.accepted[r] = struct{}{}
	if w := l.dialled[r]; w != nil {
		w.cameBack()
	}
}

// ended forgets an accepted connection.
func (l *loops) ended(r route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.accepted, r)
}

// watch returns a connection to a server that is known until it is closed. Nothing was sent on it yet, so no request comes
// back before it is known.
func (l *loops) watch(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if l == nil || !ok {
		return c
	}
	w := &watchedConn{TCPConn: t, among: l, route: routeOf(t.LocalAddr(), t.RemoteAddr()), back: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialled == nil {
		l.dialled = map[route]*watchedConn{}
	}
	l.dialled[w.route] = w
	if _, back := l.accepted[w.route]; back {
		w.cameBack()
	}
	return w
}

// comesBack bounds how long a connection that was led back to the gateway takes to be accepted by it. A probe that waits for
// less may miss that once; it is made again.
const comesBack = 100 * time.Millisecond

// await returns errLoop when a connection to a server is accepted by this gateway itself: to who dialled it, it looks like
// that of a server that is up.
func (l *loops) await(ctx context.Context, c net.Conn) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	w := l.dialled[routeOf(c.LocalAddr(), c.RemoteAddr())]
	l.mu.Unlock()
	if w == nil { // a socket
		return nil
	}
	over := time.NewTimer(comesBack)
	defer over.Stop()
	select {
	case <-w.back:
		return errLoop
	case <-over.C:
	case <-ctx.Done():
	}
	return nil
}

// watchedConn is a connection to a server that loops knows.
type watchedConn struct {
	*net.TCPConn
	among *loops
	route route
	back  chan struct{} // closed when the connection was accepted here
	once  sync.Once     // of back
	ended sync.Once
}

// cameBack says that the connection was accepted here.
func (c *watchedConn) cameBack() { c.once.Do(func() { close(c.back) }) }

// Close implements net.Conn. The connection is forgotten first: afterwards its port may be another's.
func (c *watchedConn) Close() error {
	c.ended.Do(func() {
		c.among.mu.Lock()
		defer c.among.mu.Unlock()
		delete(c.among.dialled, c.route)
	})
	return c.TCPConn.Close()
}
