package authz

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	opametrics "github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/sdk"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"go.uber.org/zap"
)

// localBundle is the name under which a local policy is activated.
const localBundle = "sark"

// startOPA starts the OPA SDK, which owns bundles: it downloads, verifies, compiles and activates them into its store. The
// engine only listens to that store's commits. A local policy is handed to the SDK as its initial bundle, so that it takes
// the same way, and needs neither network nor a running plugin.
func (e *Engine) startOPA(ctx context.Context, config map[string]any) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode OPA configuration: %w", err)
	}
	if config == nil {
		raw = []byte("{}")
	}
	initial, err := e.initialBundles()
	if err != nil {
		return err
	}
	if err := e.newStore(ctx); err != nil {
		return err
	}
	e.opa, err = sdk.New(ctx, sdk.Options{
		Config:        bytes.NewReader(raw),
		Store:         e.store,
		Logger:        newOPALogger(e.log),
		ConsoleLogger: consoleLogger{opaLogger{e.log}},
		Ready:         make(chan struct{}), // given, so that New does not wait for bundles
		ManagerOpts:   []func(*plugins.Manager){plugins.InitBundles(initial), e.attach},
	})
	if err != nil {
		return fmt.Errorf("start OPA: %w", err)
	}
	e.listen()
	return nil
}

func (e *Engine) initialBundles() (map[string]*bundle.Bundle, error) {
	if e.source == nil {
		return nil, nil
	}
	b, err := e.source.read()
	if err != nil {
		return nil, err
	}
	return map[string]*bundle.Bundle{localBundle: b}, nil
}

// newStore makes the SDK's store. It holds data as AST values: the default store would convert all data that a rule
// iterates over for every query.
func (e *Engine) newStore(ctx context.Context) error {
	memory := inmem.NewWithOpts(inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false)).(termStore)
	e.store = terms{memory, e.sequences}
	err := storage.Txn(ctx, e.store, storage.WriteParams, func(txn storage.Transaction) error {
		_, err := e.store.Register(ctx, txn, storage.TriggerConfig{OnCommit: e.onCommit})
		return err
	})
	if err != nil {
		return fmt.Errorf("register store trigger: %w", err)
	}
	return nil
}

// termStore is what OPA's store in memory can do.
type termStore interface {
	storage.Store
	storage.MakeDirer
}

// terms is a store that shows what was committed to its triggers as it holds it. OPA's plugin manager does not ask for
// that, and so all data would be converted to Go maps at every commit, for the modules in WebAssembly that we do not have. And
// it refuses the manifest of a bundle that is older than one that was in force, so that OPA's own activation fails: its status
// then says so, and it fetches the bundle anew instead of taking it for active.
type terms struct {
	termStore
	sequences *sequences
}

// Write implements storage.Store.
func (s terms) Write(ctx context.Context, txn storage.Transaction, op storage.PatchOp, path storage.Path, value any) error {
	if name, ok := manifestOf(path); ok && op != storage.RemoveOp {
		if err := s.sequences.admitManifest(name, value); err != nil {
			return err
		}
	}
	return s.termStore.Write(ctx, txn, op, path, value)
}

// manifestOf returns the name of the bundle whose manifest is at a path of the store.
func manifestOf(path storage.Path) (name string, ok bool) {
	const depth = 4 // system, bundles, the name, manifest
	if len(path) != depth {
		return "", false
	}
	return path[2], slices.Equal(path, bundle.ManifestStoragePath(path[2]))
}

// Register implements storage.Trigger.
func (s terms) Register(ctx context.Context, txn storage.Transaction, c storage.TriggerConfig) (storage.TriggerHandle, error) {
	c.SkipDataConversion = true
	return s.termStore.Register(ctx, txn, c)
}

// attach borrows the SDK's plugin manager. It runs inside sdk.New, before the manager activates anything.
func (e *Engine) attach(m *plugins.Manager) {
	e.manager = m
	m.RegisterCompilerTrigger(func(txn storage.Transaction) {
		e.rebuild(context.Background(), txn, m.GetCompiler())
	})
}

// onCommit follows commits that change data alone. The store calls its triggers in no order, so on a commit that brings
// policies the manager may not have its new compiler yet: those are left to the compiler trigger.
func (e *Engine) onCommit(ctx context.Context, txn storage.Transaction, event storage.TriggerEvent) {
	if event.IsZero() || event.PolicyChanged() || plugins.GetCompilerOnContext(event.Context) != nil {
		return
	}
	e.rebuild(ctx, txn, e.manager.GetCompiler())
}

// rebuild makes a program of what was just committed. It runs under the store's write lock, hence before the activation
// returns, and reads through the given transaction only.
func (e *Engine) rebuild(ctx context.Context, txn storage.Transaction, compiler *ast.Compiler) {
	if e.source == nil && e.active.Load() == nil && len(compiler.Modules) == 0 {
		return // the SDK's own first commit: its bundles have not arrived yet
	}
	p, err := newProgram(ctx, e.store, txn, compiler)
	if err == nil {
		err = e.sequences.admit(p, e.active.Load())
	}
	if err != nil {
		e.fail(failure{err: err})
		return
	}
	if err := e.sequences.keep(p); err != nil { // a newer policy is not held up by that
		e.log.Error("the number of a policy bundle is not kept: after a restart an older one would be taken", zap.Error(err))
	}
	e.install(p)
}

// activate replaces the local policy in the SDK's store; the commit triggers do the rest.
func (e *Engine) activate(ctx context.Context, b *bundle.Bundle) error {
	params := storage.WriteParams
	params.Context = storage.NewContext()
	err := storage.Txn(ctx, e.store, params, func(txn storage.Transaction) error {
		compiler := ast.NewCompiler().WithPathConflictsCheck(storage.NonEmpty(ctx, e.store, txn))
		plugins.SetCompilerOnContext(params.Context, compiler)
		return bundle.Activate(&bundle.ActivateOpts{
			Ctx:           ctx,
			Store:         e.store,
			Txn:           txn,
			TxnCtx:        params.Context,
			Compiler:      compiler,
			Metrics:       opametrics.New(),
			Bundles:       map[string]*bundle.Bundle{localBundle: b},
			ParserOptions: e.manager.ParserOptions(),
		})
	})
	if err != nil {
		return fmt.Errorf("activate policy bundle: %w", err)
	}
	return nil
}
