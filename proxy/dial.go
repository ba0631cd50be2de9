package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// dialer returns what opens a connection, TLS handshake included, within the connect timeout. u counts it; nil counts
// nothing.
func dialer(e endpoint, o UpstreamOptions, u *usage) func(string) (net.Conn, error) {
	d := &net.Dialer{}
	if o.Networks != nil {
		d.Control = o.Networks.control
	}
	return func(string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), o.ConnectTimeout)
		defer cancel()
		if u != nil {
			u.open.Add(1)
		}
		c, err := dial(ctx, d, e, o, u)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
}

func dial(ctx context.Context, d *net.Dialer, e endpoint, o UpstreamOptions, u *usage) (net.Conn, error) {
	c, err := d.DialContext(ctx, e.network, e.address)
	if err != nil {
		if u != nil {
			u.open.Add(-1)
		}
		return nil, err
	}
	plain := newRollingConn(o.outgoing.watch(c), u)
	if e.name == "" {
		return plain, nil
	}
	secure := tls.Client(plain, o.TLS(e.name))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // there is nothing to end in order
		return nil, fmt.Errorf("TLS handshake with %s: %w", e.address, err)
	}
	return secure, nil
}

// Networks are the addresses that may be connected to where who wrote a URL is not trusted with the network of the
// gateway (CWE-918). An address is looked at after its name was resolved, each time when it is dialled, so that a name
// cannot lead elsewhere later (DNS rebinding).
type Networks struct {
	allowed []netip.Prefix // empty: all but special ones
}

// NewNetworks returns the networks to allow; without any, every address but the special ones. Special ones are this host,
// its link, multicast, what is reserved, and where clouds keep the metadata of a machine. They are allowed only by a
// network that lies within them: 127.0.0.0/8 allows loopback, 0.0.0.0/0 does not.
func NewNetworks(allowed []netip.Prefix) *Networks {
	n := &Networks{}
	for _, p := range allowed {
		n.allowed = append(n.allowed, p.Masked())
	}
	return n
}

// special are the networks of NewNetworks (RFC 6890), IPv4 carried in IPv6 among them (RFC 6052, 3056, 4380).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::/32"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// Allows reports whether an address may be connected to.
func (n *Networks) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	within := netip.Prefix{}
	for _, s := range special {
		if s.Contains(a) {
			within = s
			break
		}
	}
	if !within.IsValid() && len(n.allowed) == 0 {
		return a.IsValid()
	}
	for _, p := range n.allowed {
		if p.Contains(a) && (!within.IsValid() || p.Bits() >= within.Bits()) {
			return true
		}
	}
	return false
}

// errForbidden is an address that Networks does not allow.
var errForbidden = errors.New("the address is not in a network that registered servers may be in")

// control implements net.Dialer.Control: it is called for every address before it is connected to.
func (n *Networks) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network == "unix" || !n.Allows(at.Addr()) {
		return fmt.Errorf("%s: %w", address, errForbidden)
	}
	return nil
}
