package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// DebugOptions says what the debug listener serves.
type DebugOptions struct {
	// Listener receives the connections; the server closes it. It should be a unix socket or on loopback. Required.
	Listener net.Listener
	// Level is the level of the process's logger. Required.
	Level zap.AtomicLevel
	// Reload reads configuration and policies again and says what was wrong with them. Nil: POST /reload answers 501.
	Reload func(context.Context) error
	// Drain sends clients away while the process goes on serving. Nil: POST /drain answers 501.
	Drain func()
	// ShutdownTimeout bounds the wait for open requests when Run ends. 0 means 5 s.
	ShutdownTimeout time.Duration
	// Log receives the server's own complaints and a line per change of level or reload. Nil discards.
	Log *zap.Logger
}

// NewDebug checks the options and returns the debug server: GET /debug/pprof/..., GET and PUT /log/level with
// {"level":"debug"}, POST /reload and POST /drain.
func NewDebug(o DebugOptions) (*Server, error) {
	if o.Listener == nil || o.Level == (zap.AtomicLevel{}) {
		return nil, errors.New("debug server: listener and level are required")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return newServer(o.Listener, guardBrowser(debugRoutes(o)), debugWrite, o.ShutdownTimeout, o.Log)
}

func debugRoutes(o DebugOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /log/level", o.Level)
	mux.Handle("PUT /log/level", changeLevel(o.Level, o.Log))
	mux.Handle("POST /reload", reload(o.Reload, o.Log))
	mux.Handle("POST /drain", drain(o.Drain))
	return mux
}

// changeLevel lets zap read the new level and leaves a line about the change.
func changeLevel(level zap.AtomicLevel, log *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := level.Level()
		r.Body = http.MaxBytesReader(w, r.Body, maxDebugBodySize)
		level.ServeHTTP(w, r)
		if after := level.Level(); after != before {
			log.Warn("log level changed", zap.Stringer("from", before), zap.Stringer("to", after))
		}
	})
}

// reload shows the error in full: whoever reaches this listener may see the configuration.
func reload(do func(context.Context) error, log *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do == nil {
			writeJSON(w, http.StatusNotImplemented, map[string]string{"detail": "this process has nothing to reload"})
			return
		}
		if err := do(r.Context()); err != nil {
			log.Warn("reload refused", zap.Error(err))
			writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"detail": err.Error()})
			return
		}
		log.Info("reloaded")
		writeJSON(w, http.StatusOK, map[string]string{"status": "reloaded"})
	})
}

// drain answers once clients are being sent away.
func drain(do func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if do == nil {
			writeJSON(w, http.StatusNotImplemented, map[string]string{"detail": "this process has no clients to send away"})
			return
		}
		do()
		writeJSON(w, http.StatusOK, map[string]string{"status": string(StatusDraining)})
	})
}

// guardBrowser keeps web pages that an operator's browser shows away from a listener on loopback: pages of other origins
// may not send changes, and host names may not be rebound to this address to read from it.
func guardBrowser(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(r.Host) {
			writeJSON(w, http.StatusForbidden, map[string]string{"detail": "host must be localhost or an address"})
			return
		}
		crossOrigin.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header cannot come from a rebound name: it is empty, localhost or a literal address.
// Clients of a unix socket send whatever they like, usually localhost.
func ownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "" || host == "localhost" {
		return true
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	_, err = netip.ParseAddr(host)
	return err == nil
}
