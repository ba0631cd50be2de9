package app

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/admin"
	"sark/internal/audit"
	"sark/proxy"
)

// listen opens every listener, then serves on all of them: a taken port is found before the first request is accepted.
func (g *gateway) listen(ctx context.Context) error {
	a := &g.addresses
	listeners := map[string]net.Listener{}
	for _, l := range []struct {
		key, address string
		into         *string
	}{
		{"proxy.listen", g.c.Proxy.Listen, &a.Proxy},
		{"api.listen", g.c.API.Listen, &a.API},
		{"api.socket", "unix:" + g.c.APISocket(), &a.Socket},
		{"admin.listen", g.c.Admin.Listen, &a.Admin},
		{"debug.listen", g.c.Debug.Listen, &a.Debug},
	} {
		if l.key == "proxy.listen" && len(g.c.Proxy.Servers) == 0 && !g.c.Proxy.Registry.Enabled {
			continue // nothing to stand in front of
		}
		if l.address == "" {
			continue // switched off
		}
		opened, err := open(ctx, l.address)
		if err != nil {
			closeAll(listeners)
			return fmt.Errorf("%s: %w", l.key, err)
		}
		listeners[l.key], *l.into = opened, opened.Addr().String()
	}
	if err := g.serveAll(listeners); err != nil {
		closeAll(listeners)
		return err
	}
	return nil
}

// closeAll closes listeners after a failure, which is the error to tell. Closing one that is served by now does no harm.
func closeAll(ls map[string]net.Listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}

// maxSocketPath is the longest path of a unix socket in bytes: 107 on Linux, 103 on macOS.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// open opens the listener of a configured address. The kernel calls a path that is too long an invalid argument, which
// helps nobody.
func open(ctx context.Context, address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix && len(path) > maxSocketPath {
		return nil, fmt.Errorf("%s is too long for a unix socket (%d bytes, at most %d): choose a shorter data_dir, or set another path",
			path, len(path), maxSocketPath)
	}
	return admin.Listen(ctx, address)
}

func (g *gateway) serveAll(ls map[string]net.Listener) error {
	if l := ls["admin.listen"]; l != nil {
		s, err := admin.New(admin.Options{Listener: l, Health: g.health, Metrics: g.metrics, Log: g.log})
		if err != nil {
			return err
		}
		g.run("admin listener", s.Run)
	}
	if l := ls["debug.listen"]; l != nil {
		s, err := admin.NewDebug(admin.DebugOptions{Listener: l, Level: g.o.Level, Reload: g.reload, Drain: func() { g.drain() }, Log: g.log})
		if err != nil {
			return err
		}
		g.run("debug listener", s.Run)
	}
	for _, key := range []string{"api.listen", "api.socket", "proxy.listen"} {
		if l := ls[key]; l != nil {
			if err := g.serve(key, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gateway) registerer(listener string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"listener": listener}, g.metrics)
}

// optionsOf are the options of one listener of the data plane.
func (g *gateway) optionsOf(f *front, v *version) (proxy.Options, error) {
	c := v.config
	o := g.handlerOptions(v)
	switch f.key {
	case "api.listen":
		o.Local, o.Registerer = g.api, g.registerer("api")
	case "api.socket":
		o.Local, o.Registerer, o.Authenticator = g.api, g.registerer("local"), newLocalCaller()
		o.TrustedProxies = nil // its peers are the command line
	case "proxy.listen":
		o.Servers, o.PublicURL, o.Registerer = v.servers, c.Proxy.PublicURL, g.registerer("proxy")
		o.Redirect = c.Proxy.Mode == configs.ModeRedirect
		o.OnHealth = g.onHealth
	}
	var err error
	o.AuthFailures, err = f.failures.limit(c.Limits.AuthFailuresPerMinute)
	return o, err
}

// handlerOptions are what the data plane is made of, on every listener alike: there is one way of a request.
func (g *gateway) handlerOptions(v *version) proxy.Options {
	c := v.config
	o := proxy.Options{
		Authenticator: v.authn, Decider: g.decider, Recorder: g.spool, CacheRules: cacheRules(c), CacheKeys: c.Cache.DebugHeaders,
		Sessions: g.sessions, Limiter: g.limits, Rates: v.rates,
		PartitionByPrincipal: c.Cache.Partition == "principal",
		AllowedHosts:         c.Proxy.AllowedHosts, AllowedOrigins: c.Proxy.AllowedOrigins,
		CORSOrigins: c.Proxy.CORSOrigins, TrustedProxies: c.Proxy.TrustedProxies,
		Eras: c.Proxy.Eras, AllowBatch: c.Proxy.AllowBatch, BatchAnyVersion: c.Proxy.BatchAnyVersion, MaxBatch: c.Proxy.MaxBatch,
		MaxBuffered: int(configs.MaxBuffered), MaxHeldBytes: int(c.Proxy.MaxHeldBytes), MaxArrivingBytes: int(c.Proxy.MaxArrivingBytes),
		MaxStreams: c.Proxy.MaxStreams, MaxStreamAge: c.Proxy.MaxStreamAge,
		MaxBody: int(c.Proxy.MaxBodyBytes), MaxConcurrent: c.Proxy.MaxConcurrent, ConcurrentWait: c.Proxy.ConcurrentWait,
		Heartbeat: c.Proxy.Heartbeat, WriteTimeout: c.Proxy.WriteTimeout,
		Intent: c.Audit.Intent, OpenAfter: c.Audit.OpenAfter,
		Shadow:      c.Authz.Mode == "shadow",
		HideUnknown: c.Proxy.HiddenTools == "unknown", DenyAsToolError: c.Proxy.DenyResponse == "tool_error",
		RecordInput:   g.recordInput(c),
		RecordDenials: c.Authz.Inputs.Sample == 0,
		HashArguments: g.hasher, Log: g.log, Environment: c.Environment,
	}
	for _, name := range c.Authz.Headers {
		o.PolicyHeaders = append(o.PolicyHeaders, strings.ToLower(name))
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = never
	}
	if o.MaxStreamAge == 0 {
		o.MaxStreamAge = never
	}
	if c.Audit.RecordArguments {
		o.RecordArguments = redacted(audit.NewRedactor(c.Audit.Redact...))
	}
	if c.Cache.Enabled {
		o.Cache = g.cache
	}
	if j := c.Authn.JWT; j.Issuer != "" {
		o.Resources, o.AuthorizationServers, o.Scopes = j.Audience, []string{j.Issuer}, j.Scopes
	}
	return o
}

// redacted returns what may be recorded of arguments; what cannot be redacted is not recorded.
func redacted(r *audit.Redactor) func([]byte) []byte {
	return func(arguments []byte) []byte {
		out, err := r.Append(nil, arguments)
		if err != nil {
			return nil
		}
		return out
	}
}

// serve runs one listener of the data plane.
func (g *gateway) serve(key string, l net.Listener) error {
	c, v := g.c, g.table.version()
	f := &front{key: key}
	o, err := g.optionsOf(f, v)
	if err != nil {
		return err
	}
	if f.h, err = proxy.New(o); err != nil {
		return err
	}
	secure, behind := v.tls, c.Proxy.ProxyProtocol.Trusted
	if key != "proxy.listen" {
		secure = nil
	}
	if key != "proxy.listen" || !c.Proxy.ProxyProtocol.Enabled {
		behind = nil
	}
	f.s = proxy.NewServer(f.h, proxy.ListenerOptions{
		ReadTimeout: c.Proxy.ReadTimeout, IdleTimeout: c.Proxy.IdleTimeout, WriteTimeout: c.Proxy.WriteTimeout,
		MaxHeader: int(c.Proxy.MaxHeaderBytes), MaxBody: int(c.Proxy.MaxBodyBytes),
		TLS: secure, ProxyProtocol: behind, Log: g.log,
	})
	g.table.join(f)
	h, s := f.h, f.s
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); err != nil {
			g.failed <- fmt.Errorf("%s: %w", key, err)
		}
	}()
	g.life.onStop(key, func(ctx context.Context) error {
		bounded, cancel := draining(ctx)
		defer cancel()
		busy := h.InProgress() > 0 // idle connections may outlast the time, too
		err := s.Shutdown(bounded)
		<-done
		h.Close()
		if err == nil || bounded.Err() == nil {
			return err
		}
		if busy {
			g.log.Warn("calls in progress were cut, since proxy.drain_timeout is over", zap.String("listener", key))
		}
		return nil
	})
	return nil
}

// draining bounds the drain of the listeners, all together: the parts behind them need the rest of the time.
func draining(ctx context.Context) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-settling))
}

// run keeps a net/http server of the operator's side running until its stop.
func (g *gateway) run(name string, serve func(context.Context) error) {
	g.life.background(name, func(ctx context.Context) {
		if err := serve(ctx); err != nil {
			g.failed <- fmt.Errorf("%s: %w", name, err)
		}
	})
}
