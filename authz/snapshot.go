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

// snapshot is one revision of the policy: compiler, data and what was made of them. It is immutable, so that a decision
// that loaded one never sees another revision. Whatever answers faster than topdown belongs here too, built with it and
// gone with it.
type snapshot struct {
	revision string
	query    rego.PreparedEvalQuery
	options  []rego.EvalOption // the same for every evaluation; never appended to in place
	blocks   bool              // the policy calls built-ins that wait for the network
	reads    reads             // what the policy can read of the input
	parts    *parts            // of its documents
	memo     *memo             // of its decisions; nil when they depend on more than the input
}

// newSnapshot copies what a transaction of the SDK's store sees, and prepares the entry point on the copy.
func newSnapshot(ctx context.Context, from storage.Store, txn storage.Transaction, compiler *ast.Compiler) (*snapshot, error) {
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
	data, err := copyData(ctx, from, txn)
	if err != nil {
		return nil, err
	}
	s := &snapshot{revision: revision, blocks: callsNetwork(compiler)}
	s.analyse(compiler)
	return s, s.prepare(ctx, inmem.NewFromASTObject(data), compiler)
}

// analyse finds out what the policy can read: documents hold only that, and decisions are remembered by it.
func (s *snapshot) analyse(compiler *ast.Compiler) {
	s.reads = analyse(compiler, ast.MustParseRef(entryPoint))
	w := want(&s.reads)
	s.parts = newParts(w)
	if s.reads.exact() {
		s.memo = newMemo(w)
	}
}

// prepare compiles the query. Nothing ever writes to the private store, so one read transaction serves every evaluation
// for as long as the snapshot lives; in the SDK's store it would hold up the next activation.
func (s *snapshot) prepare(ctx context.Context, private storage.Store, compiler *ast.Compiler) error {
	txn, err := private.NewTransaction(ctx)
	if err != nil {
		return fmt.Errorf("open policy data: %w", err)
	}
	s.query, err = rego.New(
		rego.Query(entryPoint),
		rego.Compiler(compiler),
		rego.Store(private),
		rego.Transaction(txn),
	).PrepareForEval(ctx)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", entryPoint, err)
	}
	s.options = evalOptions(txn)
	return nil
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
