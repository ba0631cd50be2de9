package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"
)

// writeBuffer is how many bytes of a reply the server collects before it writes: a usual reply with its head. Every open stream
// holds as many. A reply in memory that is longer goes out by one writev, without a copy.
const writeBuffer = 3 << 10

// keptBody is how many bytes of memory a connection keeps for the body of its next request, and of its next reply. fasthttp would
// keep the largest that there was until the connection ends, which a client could have any number of.
const keptBody = freeBytes

// ListenerOptions are the limits of a listener.
type ListenerOptions struct {
	// ReadTimeout is how long a request may take to arrive; default 30 s.
	ReadTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request; default 2 min.
	IdleTimeout time.Duration
	// WriteTimeout is how long a write may take; default 1 min. Streams renew it.
	WriteTimeout time.Duration
	// MaxHeader is the largest request header in bytes; default 16 KiB.
	MaxHeader int
	// MaxBody is the largest accepted body in bytes; default 4 MiB.
	MaxBody int
	// TLS makes the listener speak TLS; nil means plain HTTP. Its GetConfigForClient is also asked, at each request of a
	// client with a certificate, for the authorities of clients (ClientCAs): what it returns must stay the same *Config,
	// and so the same pool, until one of these changes.
	TLS *tls.Config
	// ProxyProtocol are the networks (CIDR, or "unix:" for peers on a unix socket) of proxies whose connections begin with a
	// PROXY header of version 1 or 2, which names the client; without one they are closed. Empty expects none of anybody.
	ProxyProtocol []string
	Log           *zap.Logger
}

// Server is the HTTP/1.1 server of a Handler. It serves one listener.
type Server struct {
	h   *Handler
	s   *fasthttp.Server
	tls atomic.Pointer[tls.Config] // of the connections accepted from now on; nil: plain
	log *zap.Logger

	unbegun sync.Map // the connections, as net.Conn, on which nothing has come yet

	behind trustedProxies // of ListenerOptions.ProxyProtocol
	wrong  error          // of ListenerOptions; Serve returns it

	mu   sync.Mutex
	l    *listener // nil before Serve
	down bool      // Shutdown was called
}

// NewServer returns a server for h.
func NewServer(h *Handler, o ListenerOptions) *Server {
	fasthttp.SetBodySizePoolLimit(keptBody, keptBody) // of the whole process
	setDefault(&o.ReadTimeout, 30*time.Second)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.MaxHeader, 16<<10)
	setDefault(&o.MaxBody, 4<<20)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	s := &Server{h: h, log: o.Log, s: &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			h.live.Load().Serve(ctx)
			if h.phase.Load() != serving {
				ctx.SetConnectionClose()
			}
		},
		// A body over the limit is read when it is not far over, so that the refusal can carry the request's id.
		MaxRequestBodySize:           4 * o.MaxBody,
		ReadBufferSize:               o.MaxHeader,
		WriteBufferSize:              writeBuffer,
		ReadTimeout:                  o.ReadTimeout,
		IdleTimeout:                  o.IdleTimeout,
		WriteTimeout:                 o.WriteTimeout,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		Logger:                       quietLogger{o.Log},
	}}
	s.s.ErrorHandler, s.s.HeaderReceived, s.s.ConnState = s.unreadable, s.receive, s.follow
	s.tls.Store(o.TLS)
	s.behind, s.wrong = newTrustedProxies(o.ProxyProtocol)
	return s
}

// follow is told of each connection when it is there, at the first byte of each of its requests, and when it is closed.
func (s *Server) follow(c net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		s.unbegun.Store(c, nil)
	case fasthttp.StateActive, fasthttp.StateClosed:
		s.unbegun.Delete(c)
	case fasthttp.StateIdle, fasthttp.StateHijacked:
	}
}

// unreadable answers what could not be read. A connection that ends before the first byte of its first request is no request:
// probes of load balancers leave no event. fasthttp has forgotten the request by now, and tells nobody of those that do not begin
// on a connection that had one.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	if _, silent := s.unbegun.Load(ctx.Conn()); silent {
		ctx.SetStatusCode(fasthttp.StatusRequestTimeout)
		return
	}
	s.h.live.Load().Refuse(ctx, err)
}

// SetTLS makes connections that are accepted from now on speak TLS as given, or plain HTTP when it is nil (see
// ListenerOptions.TLS). Those that are open stay as they are.
func (s *Server) SetTLS(c *tls.Config) { s.tls.Store(c) }

// Serve accepts connections until Shutdown. It returns nil then, and at once when Shutdown was called before. It closes the
// listener.
func (s *Server) Serve(l net.Listener) error {
	if s.wrong != nil {
		_ = l.Close() // never accepted from
		return s.wrong
	}
	own, ok := s.take(l)
	if !ok {
		_ = l.Close() // never accepted from
		return nil
	}
	defer own.begun() // so that nobody waits for it in vain
	if err := s.s.Serve(own); err != nil {
		_ = own.Close() // nobody accepts from it any more
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// take makes l the listener of the server, unless the server was shut down.
func (s *Server) take(l net.Listener) (*listener, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, false
	}
	s.l = newListener(l, s)
	return s.l, true
}

// leave makes take refuse from now on, and returns the listener if there is one.
func (s *Server) leave() *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	return s.l
}

// Shutdown stops accepting, ends the streams that would never end by themselves, and waits for calls in progress until
// ctx ends; then these are ended too, each with its event, which takes a second at most. The error is that of ctx when
// calls were cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.h.Drain()
	l := s.leave()
	if l == nil {
		return nil // Serve will not begin
	}
	<-l.accepting // else fasthttp might not know its listener yet, and do nothing
	err := s.s.ShutdownWithContext(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return fmt.Errorf("shut down: %w", err)
	}
	s.h.abandon()
	s.h.await(2 * watch)
	return err
}

// quietLogger takes what fasthttp logs: faults of single connections, which the audit trail has too.
type quietLogger struct{ log *zap.Logger }

// Printf implements fasthttp.Logger.
func (q quietLogger) Printf(format string, args ...any) {
	q.log.Debug("http server", zap.String("detail", fmt.Sprintf(format, args...)))
}
