package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
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
}

func (o *UpstreamOptions) defaults() {
	setDefault(&o.MaxConns, 100)
	setDefault(&o.ConnWait, time.Second)
	setDefault(&o.IdleTimeout, 5*time.Second)
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.FirstByteTimeout, time.Minute)
	setDefault(&o.StreamIdleTimeout, time.Hour)
	setDefault(&o.MaxHeader, 64<<10)
}

// upstream holds the pooled connections to one server: one pool for calls and one for GET streams, so that listeners
// cannot starve calls. Only the pools of fasthttp's client are used: its Do would read a reply before anything is known
// of it.
type upstream struct {
	calls, streams *fasthttp.HostClient
	transport      transport
}

func newUpstream(u *url.URL, o UpstreamOptions) *upstream {
	o.defaults()
	pool := func() *fasthttp.HostClient {
		return &fasthttp.HostClient{
			Addr:                address(u),
			IsTLS:               u.Scheme == "https",
			TLSConfig:           &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()},
			Dial:                dialer(o.ConnectTimeout),
			MaxConns:            o.MaxConns,
			MaxConnWaitTimeout:  o.ConnWait,
			MaxIdleConnDuration: o.IdleTimeout,
			ReadBufferSize:      o.MaxHeader,
		}
	}
	return &upstream{calls: pool(), streams: pool(), transport: transport{firstByte: o.FirstByteTimeout, streamIdle: o.StreamIdleTimeout}}
}

func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

func dialer(timeout time.Duration) fasthttp.DialFunc {
	d := &net.Dialer{Timeout: timeout}
	return func(addr string) (net.Conn, error) {
		c, err := d.DialContext(context.Background(), "tcp", addr)
		if err != nil {
			return nil, &dialError{err}
		}
		return newRollingConn(c), nil
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
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &netErr) && netErr.Timeout():
		p.Status, p.Reason = 504, "the server took too long to answer"
	case errors.Is(err, errNotHTTP1), errors.Is(err, errSwitched):
		p.Reason = "the server does not speak HTTP/1.1"
	}
	return p
}

var (
	errNotHTTP1 = errors.New("upstream does not speak HTTP/1.1")
	errLongHead = errors.New("reply header exceeds the limit")
	errSwitched = errors.New("upstream switched protocols unasked")
)
