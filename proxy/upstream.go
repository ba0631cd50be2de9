package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/internal/audit"
)

// UpstreamOptions are the limits of the connections to one server. A server whose options are equal after a Reload keeps
// its connections; TLS is compared by TLSName.
type UpstreamOptions struct {
	// MaxConns is how many connections calls may use at once; default 100. Event streams of GET have as many of their own.
	MaxConns int
	// MaxIdle is how many unused connections are kept of each kind; default 20, negative none. More may stay for a second.
	MaxIdle int
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
	// TotalTimeout is how long the reply to a call may take as a whole; 0 sets no limit. GET streams have none.
	TotalTimeout time.Duration
	// MaxHeader is the largest reply header in bytes; default 64 KiB.
	MaxHeader int
	// TLS returns the configuration of the next connection to an https server, whose certificate must be for name: the
	// host of its URL. It is called for each, so that certificates can change. nil trusts the authorities of the system.
	TLS func(name string) *tls.Config
	// TLSName tells one TLS from another.
	TLSName string
	// Networks are where the server may be; nil means anywhere. It is for servers whose URL operators did not write.
	Networks Networks
	// Breaker says when the server is left alone.
	Breaker BreakerOptions
	// Health says how the server is probed.
	Health HealthOptions
	// Token is the bearer token that goes to the server in place of the caller's credential; "" sends none.
	Token string
	// Exchange obtains that token for each caller.
	Exchange ExchangeOptions

	loops *loops      // of the table; nil: packet rules lead no connection to the gateway
	log   *zap.Logger // of the handler
}

func (o *UpstreamOptions) defaults() {
	setDefault(&o.MaxConns, 100)
	setDefault(&o.MaxIdle, 20)
	setDefault(&o.ConnWait, time.Second)
	setDefault(&o.IdleTimeout, 5*time.Second)
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.FirstByteTimeout, time.Minute)
	setDefault(&o.StreamIdleTimeout, time.Hour)
	setDefault(&o.MaxHeader, 64<<10)
	if o.TLS == nil {
		o.TLS = systemTLS
	}
	if o.log == nil {
		o.log = zap.NewNop()
	}
	o.Breaker.defaults()
	o.Health.defaults()
}

// same reports whether two options lead to the same connections.
func (o UpstreamOptions) same(other UpstreamOptions) bool {
	o.TLS, other.TLS = nil, nil
	o.log, other.log = nil, nil
	return reflect.DeepEqual(o, other)
}

// systemTLS is how https servers are dialled without a configuration of their own.
func systemTLS(name string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, NextProtos: []string{"http/1.1"}}
}

// upstream holds the pooled connections to one server: one pool for calls and one for GET streams, so that listeners
// cannot starve calls. Only the pools of fasthttp's client are used: its Do would read a reply before anything is known
// of it. It outlives the generation of the handler that made it, as long as the next ones reach the server the same way.
type upstream struct {
	at             endpoint
	o              UpstreamOptions
	calls, streams *pool
	transport      transport // of calls
	listening      transport // of GET streams
	breaker        *breaker  // nil: switched off
	health         health
	static         []byte     // the Authorization header of UpstreamOptions.Token; nil for none
	exchanger      *exchanger // nil: switched off
	names          addressNames
}

func newUpstream(e endpoint, o UpstreamOptions) *upstream {
	o.defaults()
	t := transport{firstByte: o.FirstByteTimeout, streamIdle: o.StreamIdleTimeout}
	u := &upstream{at: e, o: o, listening: t, transport: t, breaker: newBreaker(o.Breaker)}
	u.listening.idle = true
	u.exchanger = newExchanger(o.Exchange)
	if o.Token != "" {
		u.static = []byte("Bearer " + o.Token)
	}
	u.transport.total = o.TotalTimeout
	u.calls, u.streams = newPool(e, o), newPool(e, o)
	return u
}

// send asks the server, unless its breaker is open. x is asked while it is silent.
func (u *upstream) send(x *Exchange, began time.Time) error {
	if !u.breaker.allow(began) {
		return &openError{u.breaker.retry(began)}
	}
	pool, t := u.calls, &u.transport
	if x.Call.Route == "mcp.stream" {
		pool, t = u.streams, &u.listening
	}
	resp := &x.ctx.Response
	err := t.roundTrip(pool, &x.ctx.Request, resp, x)
	u.breaker.done(verdictOf(x, err), x.h.o.Now)
	return err
}

// close lets go of the connections: the idle ones now, those in use when their exchange ends.
func (u *upstream) close() {
	u.calls.retire()
	u.streams.retire()
}

// dialError marks a connection that could not be made: nothing was sent.
type dialError struct{ error }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.error }

// upstreamProblem is what a caller is told of a failed forward. The cause stays here.
func upstreamProblem(err error) *Problem {
	p := &Problem{Status: 502, Rule: "upstream", Reason: "the server did not answer", Outcome: audit.OutcomeUpstreamFailed, Cause: err}
	var dial *dialError
	var netErr net.Error
	var open *openError
	switch {
	case errors.As(err, &open):
		p.Status, p.Rule, p.Reason, p.Retry = 503, "breaker_open", "the server is failing and left alone for a moment", open.retry
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		p.Status, p.Rule, p.Reason, p.Retry = 503, "pool_exhausted", "all connections to the server are busy", time.Second
	case errors.As(err, &dial):
		p.Reason = "the server cannot be reached"
		// The alert by which a server refuses our protocols (RFC 7301 section 3.2) has no type to ask for.
		if strings.HasSuffix(err.Error(), "tls: no application protocol") {
			p.Reason = notHTTP1
		}
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &netErr) && netErr.Timeout():
		p.Status, p.Reason = 504, "the server took too long to answer"
	case errors.Is(err, errAsks):
		p.Rule, p.Reason = "answer", "the server's reply asks the client in place of an answer"
	case errors.Is(err, errCoded), errors.Is(err, errMediaType):
		p.Rule, p.Reason = "answer", "the server's reply is in a form that cannot be read"
	case errors.Is(err, errNotHTTP1), errors.Is(err, errSwitched):
		p.Reason = notHTTP1
	}
	return p
}

const notHTTP1 = "the server does not speak HTTP/1.1"

var (
	errNotHTTP1  = errors.New("upstream does not speak HTTP/1.1")
	errLongHead  = errors.New("reply header exceeds the limit")
	errAsks      = errors.New("a request of the server stands in place of an answer")
	errCoded     = errors.New("Content-Encoding of a reply to a request that accepts none")
	errMediaType = errors.New("Content-Type of a reply names an event stream and is none")
	errInterim   = errors.New("upstream sends interim replies without end")
	errSwitched  = errors.New("upstream switched protocols unasked")
)
