package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Trial is a policy that is asked and never in force: what tests, lint, explain, replay and validation work with. It decides
// as an Engine with the same bundle does, by the same code, but remembers nothing. It may be used by many goroutines.
type Trial struct {
	program  *program
	settings *settings
}

// ReadBundle reads a local policy as an Engine does: a directory, a bundle file, or what is built in when path is empty.
// Tests and hidden files are no part of it. A bundle without a revision gets the digest that an Engine would give it.
func ReadBundle(path string) (*bundle.Bundle, error) { return (&source{path: path}).read() }

// NewTrial compiles a policy. Built-in functions that the capabilities do not have are compile errors; nil has all that OPA
// has. The error wraps ast.Errors when the policy does not compile.
func NewTrial(ctx context.Context, b *bundle.Bundle, s Settings, allowed *ast.Capabilities) (*Trial, error) {
	prepared, err := s.prepare()
	if err != nil {
		return nil, err
	}
	compiler := ast.NewCompiler()
	if allowed != nil {
		compiler = compiler.WithCapabilities(allowed)
	}
	compiler.Compile(modulesOf(b))
	t := &Trial{settings: prepared}
	data := b.Data
	if data == nil {
		data = map[string]any{}
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	err = storage.Txn(ctx, store, storage.WriteParams, func(txn storage.Transaction) error {
		if err := bundle.WriteManifestToStore(ctx, store, txn, localBundle, b.Manifest); err != nil {
			return fmt.Errorf("store the manifest: %w", err)
		}
		t.program, err = newProgram(ctx, store, txn, compiler)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Trial returns the policy in force, so that its evaluation can be watched, and its revision; nil when there is none.
func (e *Engine) Trial() (t *Trial, revision string) {
	s := e.active.Load()
	if s == nil {
		return nil, ""
	}
	return &Trial{program: s.program, settings: s.settings}, s.revision
}

// modulesOf returns the modules of a bundle by the names that their locations have.
func modulesOf(b *bundle.Bundle) map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(b.Modules))
	for _, m := range b.Modules {
		modules[m.Path] = m.Parsed
	}
	return modules
}

// Decide decides on an input document as EvalJSON does, at most as long as the settings allow. The options are for those who
// want to see the evaluation.
func (t *Trial) Decide(ctx context.Context, input []byte, options ...rego.EvalOption) (Decision, error) {
	doc, err := parseDocument(input)
	if err != nil {
		return Decision{}, err
	}
	if doc.Get(keyPolicyConfig) == nil {
		doc.Insert(keyPolicyConfig, t.settings.policyConfig)
	}
	p := *t.program
	p.options = slices.Concat(p.options, options)
	now := time.Now()
	d := p.decide(ctx, doc, now, now.Add(t.settings.timeout))
	stamp(&d.ID, now)
	return d, nil
}

// Analysis says what the policy reads, and whether an engine would remember its decisions. Documents bring a policy_config of
// their own, so it holds for every one.
func (t *Trial) Analysis() Analysis {
	r := analyse(t.program.compiler, nil)
	return Analysis{Memoised: r.exact(), Reads: r.names(), Why: r.why}
}

// Compiler returns the compiled modules. They must not be changed.
func (t *Trial) Compiler() *ast.Compiler { return t.program.compiler }

// EntryPoint is the rule that is asked.
func EntryPoint() ast.Ref { return ast.MustParseRef(entryPoint) }

// NoEntryPoint reports whether a policy was refused because it does not define the entry point.
func NoEntryPoint(err error) bool { return errors.Is(err, errNoEntryPoint) }
