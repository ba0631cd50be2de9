package authz

// These tests are inside the package because what they start from cannot be brought about from outside: no policy or input
// is known that makes the interpreter panic, and only plugins of the OPA SDK write to its store.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"go.uber.org/zap"
)

// TestPanic: a panic during evaluation is a deny.
func TestPanic(t *testing.T) {
	broken := new(program) // its query is nil
	d := broken.decide(t.Context(), ast.NewObject(), time.Now(), time.Now().Add(time.Minute))
	if d.Allow || d.Reason != ReasonUnavailable || d.Err == nil {
		t.Errorf("decision %+v", d)
	}
}

// TestReloadThatPanics: the watch of a bundle outlives it, and it is told like any other failure.
func TestReloadThatPanics(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte("package sark"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{log: zap.NewNop(), metrics: m, source: &source{path: dir}} // without a store to write to

	e.reloadGuarded(t.Context())

	if err := e.LastError(); err == nil || !strings.HasPrefix(err.Error(), "BUG: ") {
		t.Errorf("the error is %v, want that of the panic", err)
	}
}

// TestDataAlone: a commit that changes data and no policy is in force when it returns, and does not touch the snapshot that
// decisions before it may still read.
func TestDataAlone(t *testing.T) {
	dir := t.TempDir()
	policy := "package sark\ndecision := {\"allow\": data.open}"
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), Options{Bundle: dir, WatchInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	for _, open := range []bool{true, false, true} {
		before := e.active.Load()
		err := storage.WriteOne(t.Context(), e.store, storage.AddOp, storage.MustParsePath("/open"), ast.Boolean(open))
		if err != nil {
			t.Fatal(err)
		}
		if d := e.active.Load().ask(t); d.Allow != open {
			t.Errorf("open %v: decision %+v", open, d)
		}
		if d := before.ask(t); d.Allow == open {
			t.Errorf("open %v: the snapshot of before changed: %+v", open, d)
		}
	}
}

func (s *snapshot) ask(t *testing.T) Decision {
	t.Helper()
	return s.decide(t.Context(), ast.NewObject(), time.Now(), time.Now().Add(time.Minute))
}
