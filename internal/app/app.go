package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sark/authz"
	"sark/cachemw"
	"sark/configs"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/authn"
	"sark/internal/limit"
	"sark/internal/session"
	"sark/internal/telemetry"
	"sark/store"
	"sark/store/siem"
	"sark/store/spool"
)

// Options are what a gateway is built from, beside its configuration.
type Options struct {
	// Config is a loaded, valid configuration. Required.
	Config *configs.Loaded
	// Version and Revision identify the build in health, metrics and logs.
	Version, Revision string
	// Log and Level are the process's logger; a nil Log makes one by the configuration.
	Log   *zap.Logger
	Level zap.AtomicLevel
	// Signals receives what the process is told: SIGUSR1 switches the log level between debug and log.level, and any other
	// signal (SIGHUP, SIGUSR2) reads policies and configuration again. It may be nil.
	Signals <-chan os.Signal
	// Load reads the configuration again for a reload, which reports what has changed; nil reads policies only.
	Load func() (*configs.Loaded, error)
	// Files are what Load reads and Config came from. They are watched, unless they are nil.
	Files *configs.Files
	// Ready is called once, when the gateway serves. It may be nil.
	Ready func(Addresses)
}

// Addresses are where a running gateway listens: host:port, or the path of a unix socket; empty where nothing listens.
type Addresses struct {
	Proxy, API, Socket, Admin, Debug string
}

// gateway is a gateway under construction and in operation.
type gateway struct {
	o       Options
	c       *configs.Config
	log     *zap.Logger
	life    lifecycle
	metrics *prometheus.Registry

	db        Database
	spool     *spool.Spool
	lag       func() time.Duration // of the trail in the store
	siem      []*siem.Lane
	signer    *store.DigestKey // of the audit trail
	engine    *authz.Engine
	decider   authz.Decider // the engine, and those who hear of its decisions
	candidate *authz.Engine // of the shadow policy, nil without one
	authn     atomic.Pointer[authn.Authenticator]
	clients   map[string]redis.UniversalClient // by address
	cache     *cachemw.Cache
	outbox    *outbox
	sessions  *session.Bindings
	limits    *limit.Counter
	health    *admin.Health
	api       *api.API
	hasher    func([]byte) string

	integrity *integrity

	live  atomic.Pointer[configs.Config] // in force; c is that of the start, which keys that take a restart keep
	table table

	reloading sync.Mutex // one reload at a time
	following sync.Mutex // one look at the registry at a time; guards astray
	astray    bool       // the registry could not be read the last time
	reloads   reloads

	certificates certificates

	addresses Addresses
	failed    chan error // buffered: one slot for each server

	drained atomic.Pointer[time.Time] // since when clients are sent away; nil before
}

// settling is how long the parts behind the listeners have for their stop, after proxy.drain_timeout is over for calls.
const settling = 5 * time.Second

// Run serves until ctx ends, then shuts down within proxy.drain_timeout and returns nil, or why it could not serve or finish
// (see Unfinished). Calls that take longer than that are cut, which is logged and no error.
func Run(ctx context.Context, o Options) error {
	g, err := newGateway(o)
	if err != nil {
		return err
	}
	err = g.start(ctx)
	if err == nil {
		g.health.MarkStarted()
		g.log.Info("serving", zap.String("version", o.Version), zap.String("proxy", g.addresses.Proxy),
			zap.String("api", g.addresses.API), zap.String("admin", g.addresses.Admin), zap.String("policy_revision", g.engine.Revision()))
		if o.Ready != nil {
			o.Ready(g.addresses)
		}
		err = g.wait(ctx)
	}
	if g.health != nil {
		g.health.MarkDraining()
	}
	g.log.Info("shutting down")
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.live.Load().Proxy.DrainTimeout+settling)
	defer cancel()
	if err == nil {
		err = g.leave(bounded)
	}
	stopped := g.life.stop(bounded)
	if err == nil && stopped != nil {
		return &unfinishedError{stopped}
	}
	return errors.Join(err, stopped)
}

// unfinishedError is of a gateway that served until it was told to stop.
type unfinishedError struct{ error }

func (e *unfinishedError) Unwrap() error { return e.error }

// Unfinished reports whether an error of Run is only about the end: the gateway served until it was told to stop, and could
// not finish everything, such as to store the events that wait in the spool.
func Unfinished(err error) bool {
	var u *unfinishedError
	return errors.As(err, &u)
}

func newGateway(o Options) (*gateway, error) {
	if o.Config == nil {
		return nil, errors.New("app: Options.Config is required")
	}
	c := o.Config.Config
	g := &gateway{o: o, c: &c, log: o.Log, clients: map[string]redis.UniversalClient{}, failed: make(chan error, 8)}
	if g.log == nil {
		log, level, err := telemetry.NewLogger(telemetry.LogOptions{Level: c.Log.Level, Format: c.Log.Format})
		if err != nil {
			return nil, err
		}
		g.log, g.o.Level = log, level
	}
	g.life.log = g.log
	g.metrics = telemetry.NewRegistry(telemetry.Build{Version: o.Version, Revision: o.Revision})
	g.live.Store(&c)
	g.reloads = newReloads(g.metrics)
	return g, nil
}

// start brings up all parts in dependency order. What is up when it fails is stopped by Run.
func (g *gateway) start(ctx context.Context) error {
	for _, w := range append(HostWarnings(&g.o.Config.Config), g.o.Config.Warnings...) {
		g.log.Warn("configuration", zap.String("warning", w))
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"certificates", g.openCertificates},
		{"data directory", g.openDataDir},
		{"store", g.openStore},
		{"audit spool", g.openSpool},
		{"siem", g.openSIEM},
		{"bounds of what is set aside", g.openAside},
		{"maintenance", g.openMaintenance},
		{"policy", g.openPolicy},
		{"decision inputs", g.openInputs},
		{"authentication", g.openAuthn},
		{"cache", g.openCache},
		{"outbox", g.startOutbox},
		{"sessions", g.openSessions},
		{"limits", g.openLimits},
		{"health", g.openHealth},
		{"management api", g.openAPI},
		{"servers", g.openServers},
		{"listeners", g.listen},
		{"registry", g.watchRegistry},
		{"configuration", g.watchConfig},
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("start %s: %w", step.name, err)
		}
	}
	return nil
}
