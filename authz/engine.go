package authz

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/sdk"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Defaults of Options.
const (
	// DefaultTimeout bounds one decision.
	DefaultTimeout = time.Second
	// DefaultWatchInterval is how often a local bundle is looked at.
	DefaultWatchInterval = time.Second
)

// Options say where the policy comes from and how it is asked. The zero Options run the default policy that is built into
// the binary.
type Options struct {
	// Bundle is a directory of Rego and data files, or a bundle file (tar.gz). It is watched, and read again when it
	// changes. Empty takes the built-in default policy, unless OPA is set.
	Bundle string
	// OPA is an OPA configuration (services, bundles, decision_logs and so on). When it names bundles or a discovery, these are
	// the policy and setting Bundle too is an error; they may arrive after Open, and until the first one is active every
	// decision is a deny.
	OPA map[string]any
	// Timeout bounds one decision; a slower one is a deny. Zero takes DefaultTimeout.
	Timeout time.Duration
	// Location is the time zone of input.time; nil is UTC.
	Location *time.Location
	// PolicyConfig is handed to policies as input.policy_config; nil is an empty object. The engine copies it.
	PolicyConfig map[string]any
	// WatchInterval is how often Bundle is looked at for changes. Zero takes DefaultWatchInterval, a negative one watches
	// nothing.
	WatchInterval time.Duration
	// SequenceFile keeps the highest metadata.sequence of each bundle of OPA, so that an older one is refused after a restart
	// too. Open fails when it cannot be read. Empty forgets them at the end; those of a local policy are never kept.
	SequenceFile string
	// Log hears of policies that come into force and of those that could not; nil discards.
	Log *zap.Logger
	// Metrics registers the engine's metrics; nil keeps them unregistered.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.WatchInterval == 0 {
		o.WatchInterval = DefaultWatchInterval
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

// Engine decides. It is safe for concurrent use, and Decide takes no lock.
type Engine struct {
	log     *zap.Logger
	metrics *metrics
	source  *source // nil when the OPA configuration names the bundles
	whole   *parts  // of documents that hold everything

	discovers bool // the OPA configuration is to be discovered: it may ask for decision logs later

	opa     *sdk.OPA
	manager *plugins.Manager // set while sdk.New runs, before any bundle is activated
	store   storage.Store    // the SDK's; decisions never read it

	sequences *sequences // used under the store's write lock

	changing sync.Mutex               // held by whoever replaces settings or active, so that active is under settings
	settings atomic.Pointer[settings] // in force, or waiting for a policy
	active   atomic.Pointer[snapshot] // nil until a policy is in force, and after Close
	failure  atomic.Pointer[failure]  // nil while the latest policy is the one in force

	reloading sync.Mutex // one Reload at a time, so that each reports its own outcome

	stop     context.CancelFunc
	watching sync.WaitGroup
	closing  sync.Once
}

// failure is why the latest policy is not in force.
type failure struct {
	err    error
	origin origin
}

// origin says what has failed, and so what ends the failure.
type origin int

const (
	ofProgram   origin = iota // the policy cannot come into force; one that does ends it
	ofBundles                 // a bundle could not be fetched or activated; the next fetch that succeeds ends it
	ofDiscovery               // the same of the configuration that says where bundles are
)

var (
	errNoPolicy    = errors.New("no policy is loaded")
	errTwoSources  = errors.New("a bundle and an OPA configuration that names bundles are both given: set one of them")
	errNotAnObject = errors.New("the input document is not a JSON object")
)

// Open starts the engine and brings the policy into force. It fails when a local bundle cannot be read or compiled, has no
// rule data.sark.decision, or was optimised against unknown data. Bundles that an OPA configuration names are awaited by
// Ready, not by Open. The context bounds Open alone: Close ends the engine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	o = o.withDefaults()
	if o.Bundle != "" && NamesBundles(o.OPA) {
		return nil, errTwoSources
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	_, discovers := o.OPA["discovery"]
	e := &Engine{log: o.Log, stop: stop, whole: newParts(wantsAll()), discovers: discovers}
	if err := e.open(background, o); err != nil {
		e.Close(ctx)
		return nil, err
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, o Options) error {
	var err error
	if e.metrics, err = newMetrics(o.Metrics); err != nil {
		return fmt.Errorf("register policy metrics: %w", err)
	}
	if err := e.Apply(Settings{Timeout: o.Timeout, Location: o.Location, PolicyConfig: o.PolicyConfig}); err != nil {
		return err
	}
	var before fingerprint
	if !NamesBundles(o.OPA) {
		e.source = &source{path: o.Bundle}
		before = e.source.fingerprint()
	}
	if e.source != nil {
		o.SequenceFile = "" // whoever writes these files needs no number to go back
	}
	if e.sequences, err = openSequences(o.SequenceFile); err != nil {
		return err
	}
	if err := e.startOPA(ctx, o.OPA); err != nil {
		return err
	}
	if e.source == nil {
		return nil
	}
	if err := e.LastError(); err != nil {
		return err
	}
	if e.source.path != "" && o.WatchInterval > 0 {
		e.watching.Go(func() { e.watch(ctx, o.WatchInterval, before) })
	}
	return nil
}

// NamesBundles reports whether an OPA configuration says where policies come from.
func NamesBundles(opa map[string]any) bool {
	for _, key := range []string{"bundles", "bundle", "discovery"} {
		if _, ok := opa[key]; ok {
			return true
		}
	}
	return false
}

// Ready returns nil when a policy is in force. A newer policy that could not be loaded does not make the engine unready:
// the last good one stays in force, and LastError says why.
func (e *Engine) Ready() error {
	if e.active.Load() != nil {
		return nil
	}
	if err := e.LastError(); err != nil {
		return err
	}
	return errNoPolicy
}

// LastError returns why the latest policy is not in force, or nil when it is.
func (e *Engine) LastError() error {
	if f := e.failure.Load(); f != nil {
		return f.err
	}
	return nil
}

// Revision returns the revision of the policy in force: the one that its bundle names, or a digest of its files.
// It is empty when no policy is in force.
func (e *Engine) Revision() string {
	if s := e.active.Load(); s != nil {
		return s.revision
	}
	return ""
}

// Reload reads the bundles again now. When it returns nil the new policy is in force for every decision that begins later;
// on an error the last good one stays.
func (e *Engine) Reload(ctx context.Context) error {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	if e.source == nil {
		return e.fetch(ctx)
	}
	if e.source.path == "" {
		return e.LastError()
	}
	b, err := e.source.read()
	if err == nil {
		err = e.activate(ctx, b)
	}
	if err != nil {
		e.fail(failure{err: err})
		return err
	}
	return e.LastError()
}

// Close stops the engine and waits until nothing of it runs. Decisions after it are denials.
func (e *Engine) Close(ctx context.Context) {
	e.closing.Do(func() {
		e.stop()
		e.watching.Wait()
		if e.opa != nil {
			e.opa.Stop(ctx)
		}
		e.changing.Lock()
		defer e.changing.Unlock()
		e.active.Store(nil)
	})
}

// fail records why a policy did not come into force.
func (e *Engine) fail(f failure) {
	e.failure.Store(&f)
	e.metrics.reloaded(f.err)
	e.log.Error("policy not loaded, the last good one stays in force", zap.Error(f.err), zap.String("policy_revision", e.Revision()))
}

// install swaps the policy in force.
func (e *Engine) install(p *program) {
	e.changing.Lock()
	defer e.changing.Unlock()
	s := p.under(e.settings.Load())
	e.active.Store(s)
	e.failure.Store(nil)
	e.metrics.reloaded(nil)
	e.log.Info("policy in force", zap.String("policy_revision", s.revision), zap.Bool("memoised", s.memo != nil))
	if s.memo == nil {
		e.log.Warn("policy is evaluated for every decision", zap.String("policy_revision", s.revision), zap.Strings("why", s.reads.why))
	}
}
