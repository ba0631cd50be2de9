package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// The limits of both servers. Probes and scrapes are small; nothing here needs more.
const (
	readTimeout      = 5 * time.Second
	idleTimeout      = 2 * time.Minute
	adminWrite       = 30 * time.Second // a scrape of a large registry over a slow link
	debugWrite       = 5 * time.Minute  // longer than any profile that is worth taking
	shutdownDefault  = 5 * time.Second
	maxHeaderBytes   = 16 << 10
	maxDebugBodySize = 4 << 10
)

// Options says what the admin listener serves.
type Options struct {
	// Listener receives the connections; the server closes it. Required (see Listen).
	Listener net.Listener
	// Health answers the probes. Required.
	Health *Health
	// Metrics is what /metrics shows. Required.
	Metrics prometheus.Gatherer
	// ShutdownTimeout bounds the wait for open requests when Run ends. 0 means 5 s.
	ShutdownTimeout time.Duration
	// Log receives the server's own complaints. Nil discards.
	Log *zap.Logger
}

// Server is one net/http server of the operator's side.
type Server struct {
	listener net.Listener
	http     *http.Server
	shutdown time.Duration
}

// New checks the options and returns the admin server: GET /metrics, /health/, /health/live, /health/ready and
// /health/startup. It answers from the call of Run on.
func New(o Options) (*Server, error) {
	if o.Listener == nil || o.Health == nil || o.Metrics == nil {
		return nil, errors.New("admin server: listener, health and metrics are required")
	}
	return newServer(o.Listener, publicRoutes(o.Health, o.Metrics), adminWrite, o.ShutdownTimeout, o.Log)
}

// newServer sets every timeout, because net/http has none by default and waits for slow clients for ever.
func newServer(l net.Listener, h http.Handler, write, shutdown time.Duration, log *zap.Logger) (*Server, error) {
	if log == nil {
		log = zap.NewNop()
	}
	if shutdown <= 0 {
		shutdown = shutdownDefault
	}
	errorLog, err := zap.NewStdLogAt(log, zap.WarnLevel)
	if err != nil {
		return nil, fmt.Errorf("adapt the logger to net/http: %w", err)
	}
	return &Server{listener: l, shutdown: shutdown, http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      write,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog,
	}}, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends, then lets open requests finish, at most for the shutdown timeout, and returns nil. Any other
// return is the reason why serving stopped. It is called once; when it returns, no goroutine of the server is left.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve %s: %w", s.Addr(), err), s.http.Close())
	case <-ctx.Done():
	}
	return s.stop(context.WithoutCancel(ctx), served)
}

// stop closes the listener at once and open connections when they are idle, or when the time is up.
func (s *Server) stop(ctx context.Context, served <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, s.shutdown)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("shut down %s: %w", s.Addr(), err)
	}
	return nil
}
