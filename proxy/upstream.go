package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// UpstreamOptions are the limits of the connections to one server.
type UpstreamOptions struct {
	// MaxConns is how many connections calls may use at once; default 100. Event streams of GET have as many of their own.
	MaxConns int
	// ConnWait is how long a call waits for a connection when all are busy; default 1 s.
	ConnWait time.Duration
	// IdleTimeout is how long an unused connection is kept; default 5 s.
	IdleTimeout time.Duration
	// ConnectTimeout bounds a dial; default 5 s.
	ConnectTimeout time.Duration
	// FirstByteTimeout is how long the server may take to begin its reply; default 60 s.
	FirstByteTimeout time.Duration
	// StreamIdleTimeout is how long the server may be silent within a reply; default 1 h.
	StreamIdleTimeout time.Duration
	// MaxHeader is the largest reply header in bytes; default 64 KiB.
	MaxHeader int
	// TLS returns the configuration of the next connection to an https server, whose certificate must be for name: the
	// host of its URL. It is called for each, so that certificates can change. nil trusts the authorities of the system.
	TLS func(name string) *tls.Config
}

func (o *UpstreamOptions) defaults() {
	setDefault(&o.MaxConns, 100)
	setDefault(&o.ConnWait, time.Second)
	setDefault(&o.IdleTimeout, 5*time.Second)
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.FirstByteTimeout, time.Minute)
	setDefault(&o.StreamIdleTimeout, time.Hour)
	setDefault(&o.MaxHeader, 64<<10)
	if o.TLS == nil {
		o.TLS = systemTLS
	}
}

// systemTLS is how https servers are dialled without a configuration of their own.
func systemTLS(name string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, NextProtos: []string{"http/1.1"}}
}

// upstream holds the pooled connections to one server: one pool for calls and one for GET streams, so that listeners
// cannot starve calls. Only the pools of fasthttp's client are used: its Do would read a reply before anything is known
// of it.
type upstream struct {
	calls, streams *fasthttp.HostClient
	transport      transport
}

func newUpstream(e endpoint, o UpstreamOptions) *upstream {
	o.defaults()
	pool := func() *fasthttp.HostClient {
		return &fasthttp.HostClient{
			Addr:                e.address,
			Dial:                dialer(e, o), // speaks TLS too: fasthttp would keep the configuration of its first connection
			MaxConns:            o.MaxConns,
			MaxConnWaitTimeout:  o.ConnWait,
			MaxIdleConnDuration: o.IdleTimeout,
			ReadBufferSize:      o.MaxHeader,
		}
	}
	return &upstream{calls: pool(), streams: pool(), transport: transport{firstByte: o.FirstByteTimeout, streamIdle: o.StreamIdleTimeout}}
}

// dialer returns what opens a connection, TLS handshake included, within the connect timeout.
func dialer(e endpoint, o UpstreamOptions) fasthttp.DialFunc {
	return func(string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), o.ConnectTimeout)
		defer cancel()
		c, err := new(net.Dialer).DialContext(ctx, e.network, e.address)
		if err != nil {
			return nil, &dialError{err}
		}
		plain := newRollingConn(c)
		if e.name == "" {
			return plain, nil
		}
		secure := tls.Client(plain, o.TLS(e.name))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = c.Close() // there is nothing to end in order
			return nil, &dialError{fmt.Errorf("TLS handshake with %s: %w", e.address, err)}
		}
		return secure, nil
	}
}

func (u *upstream) close() {
	u.calls.CloseIdleConnections()
	u.streams.CloseIdleConnections()
}

// dialError marks a connection that could not be made: nothing was sent.
type dialError struct{ error }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.error }

// upstreamProblem is what a caller is told of a failed forward. The cause stays here.
func upstreamProblem(err error) *Problem {
	p := &Problem{Status: 502, Rule: "upstream", Reason: "the server did not answer", Outcome: "upstream_failed", Cause: err}
	var dial *dialError
	var netErr net.Error
	switch {
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		p.Status, p.Reason, p.Retry = 503, "all connections to the server are busy", time.Second
	case errors.As(err, &dial):
		p.Reason = "the server cannot be reached"
		// The alert by which a server refuses our protocols (RFC 7301 section 3.2) has no type to ask for.
		if strings.HasSuffix(err.Error(), "tls: no application protocol") {
			p.Reason = notHTTP1
		}
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &netErr) && netErr.Timeout():
		p.Status, p.Reason = 504, "the server took too long to answer"
	case errors.Is(err, errNotHTTP1), errors.Is(err, errSwitched):
		p.Reason = notHTTP1
	}
	return p
}

const notHTTP1 = "the server does not speak HTTP/1.1"

var (
	errNotHTTP1 = errors.New("upstream does not speak HTTP/1.1")
	errLongHead = errors.New("reply header exceeds the limit")
	errSwitched = errors.New("upstream switched protocols unasked")
)
