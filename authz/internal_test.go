package authz

// These tests are inside the package because what they start from cannot be brought about from outside: no policy or input
// is known that makes the interpreter panic, and only plugins of the OPA SDK write to its store.

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// TestPanic: a panic during evaluation is a deny.
func TestPanic(t *testing.T) {
	broken := new(program) // its query is nil
	d := broken.decide(t.Context(), ast.NewObject(), time.Now(), time.Now().Add(time.Minute))
	if d.Allow || d.Reason != ReasonUnavailable || d.Err == nil {
		t.Errorf("decision %+v", d)
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
