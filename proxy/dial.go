package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"syscall"
)

// dialer returns what opens a connection, TLS handshake included, within the connect timeout. u counts it; nil counts
// nothing.
func dialer(e endpoint, o UpstreamOptions, u *usage) func(string) (net.Conn, error) {
	d := &net.Dialer{}
	if o.Networks != nil {
		d.Control = o.Networks.Control
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
	plain := newRollingConn(o.loops.watch(c), u)
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

// Networks say whether an address may be connected to, as net.Dialer.Control asks: after its name was resolved, each time when
// it is dialled, so that a name cannot lead elsewhere later.
type Networks interface {
	Control(network, address string, c syscall.RawConn) error
}
