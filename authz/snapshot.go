package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// entryPoint is the one rule that the engine asks for.
const entryPoint = "data.sark.decision"

// program is one revision of the policy: compiler and data, ready to be asked. It is immutable, so that a decision that
// loaded one never sees another revision.
type program struct {
	revision string
	bundles  []string         // their names
	sequence map[string]int64 // of the bundles that name one
	compiler *ast.Compiler
	private  storage.Store       // a copy of the data, which nothing ever writes
	txn      storage.Transaction // the one read transaction on it, for as long as the program lives
	query    rego.PreparedEvalQuery
	options  []rego.EvalOption // the same for every evaluation; never appended to in place
	blocks   bool              // the policy calls built-ins that wait for the network
}

// snapshot is a program under settings, and what was made of both. It is immutable but for what it remembers. Whatever
// answers faster than topdown belongs here too, built with it and gone with it.
type snapshot struct {
	*program
	settings *settings
	reads    reads  // what the policy can read of the input
	parts    *parts // of its documents
	memo     *memo  // of its decisions; nil when they depend on more than the input
}

// newProgram copies what a transaction of the SDK's store sees, and prepares the entry point on the copy.
func newProgram(ctx context.Context, from storage.Store, txn storage.Transaction, compiler *ast.Compiler) (*program, error) {
	if len(compiler.Errors) > 0 {
		return nil, fmt.Errorf("compile policy: %w", compiler.Errors)
	}
	if err := vet(ctx, from, txn, compiler); err != nil {
		return nil, err
	}
	revision, err := readRevision(ctx, from, txn)
	if err != nil {
		return nil, err
	}
	bundles, sequence, err := readSequences(ctx, from, txn)
	if err != nil {
		return nil, err
	}
	data, err := copyData(ctx, from, txn)
	if err != nil {
		return nil, err
	}
	p := &program{
		revision: revision, bundles: bundles, sequence: sequence, compiler: compiler, private: inmem.NewFromASTObject(data),
		blocks: callsNetwork(compiler),
	}
	return p, p.prepare(ctx)
}

// prepare compiles the query. One read transaction serves every evaluation: in the SDK's store it would hold up the next
// activation.
func (p *program) prepare(ctx context.Context) (err error) {
	if p.txn, err = p.private.NewTransaction(ctx); err != nil {
		return fmt.Errorf("open policy data: %w", err)
	}
	p.query, err = rego.New(
		rego.Query(entryPoint),
		rego.Compiler(p.compiler),
		rego.Store(p.private),
		rego.Transaction(p.txn),
	).PrepareForEval(ctx)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", entryPoint, err)
	}
	p.options = evalOptions(p.txn)
	return nil
}

// under finds out what the policy can read while data and policy_config are what they are: documents hold only that, and
// decisions are remembered by it.
func (p *program) under(set *settings) *snapshot {
	s := &snapshot{program: p, settings: set}
	s.reads = analyse(p.compiler, newDeadRules(p.compiler, p.private, p.txn, set.policyConfig))
	w := want(&s.reads)
	s.parts = newParts(w)
	if s.reads.exact() {
		s.memo = newMemo(w)
	}
	return s
}

// with returns the snapshot under other settings. As long as policy_config is the same, so are the decisions: questions
// hold the time of day, whatever its zone.
func (s *snapshot) with(set *settings) *snapshot {
	if !s.settings.policyConfig.Equal(set.policyConfig) {
		return s.program.under(set)
	}
	changed := *s
	changed.settings = set
	return &changed
}

// copyData copies all data deeply: the SDK's store changes its objects in place on later commits.
func copyData(ctx context.Context, from storage.Store, txn storage.Transaction) (ast.Object, error) {
	raw, err := from.Read(ctx, txn, storage.RootPath)
	if err != nil {
		return nil, fmt.Errorf("read policy data: %w", err)
	}
	data, ok := raw.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("read policy data: root is %T, not an object", raw)
	}
	return data.Copy(), nil
}

// readRevision returns the revision of the active bundle, or "name=revision" of each, by name, when there are several.
func readRevision(ctx context.Context, from storage.Store, txn storage.Transaction) (string, error) {
	names, err := bundle.ReadBundleNamesFromStore(ctx, from, txn)
	if err != nil && !storage.IsNotFound(err) {
		return "", fmt.Errorf("read bundle names: %w", err)
	}
	slices.Sort(names)
	revisions := make([]string, 0, len(names))
	for _, name := range names {
		rev, err := bundle.ReadBundleRevisionFromStore(ctx, from, txn, name)
		if err != nil && !storage.IsNotFound(err) {
			return "", fmt.Errorf("read revision of bundle %q: %w", name, err)
		}
		if len(names) == 1 {
			return rev, nil
		}
		revisions = append(revisions, name+"="+rev)
	}
	return strings.Join(revisions, ","), nil
}

// callsNetwork reports whether an evaluation may wait for the network, and so needs a context that ends.
func callsNetwork(compiler *ast.Compiler) bool {
	return slices.ContainsFunc(compiler.Required.Builtins, func(b *ast.Builtin) bool {
		return b.Name == ast.HTTPSend.Name || b.Name == ast.NetLookupIPAddr.Name
	})
}

var (
	errNoEntryPoint = errors.New("the policy defines no rule " + entryPoint)
	errOptimised    = errors.New("the bundle was optimised without roots: " +
		"data that it does not hold was taken for empty, so its decisions may be wrong; " +
		`build it without -O, or with "roots" in its manifest that name only what it holds`)
)

// vet refuses policies that load and yet cannot be trusted to decide.
func vet(ctx context.Context, from storage.Store, txn storage.Transaction, compiler *ast.Compiler) error {
	if len(compiler.GetRulesExact(ast.MustParseRef(entryPoint))) == 0 {
		return errNoEntryPoint
	}
	if !optimised(compiler) {
		return nil
	}
	names, err := bundle.ReadBundleNamesFromStore(ctx, from, txn)
	if err != nil {
		return fmt.Errorf("read bundle names: %w", err)
	}
	for _, name := range names {
		roots, err := bundle.ReadBundleRootsFromStore(ctx, from, txn, name)
		if err != nil {
			return fmt.Errorf("read roots of bundle %q: %w", name, err)
		}
		if slices.Contains(roots, "") {
			return errOptimised
		}
	}
	return nil
}

// optimised recognises the modules that "opa build -O" writes, by the directory it puts them in.
func optimised(compiler *ast.Compiler) bool {
	for name := range compiler.Modules {
		if strings.Contains("/"+name, "/optimized/") {
			return true
		}
	}
	return false
}
