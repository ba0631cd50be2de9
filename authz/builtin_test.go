package authz_test

import (
	"os"
	"path/filepath"
	"testing"

	"sark/authz"
)

// TestBuiltInPolicyIgnoresTheWorkingDirectory guards against taking "no bundle" for the current directory, whose files
// change while a gateway runs.
func TestBuiltInPolicyIgnoresTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	e := open(t, authz.Options{})
	before := e.Revision()
	if err := os.WriteFile(filepath.Join(".", "stray.rego"), []byte("package sark\n\nbroken {"), 0o600); err != nil {
		t.Fatal(err)
	}

	err := e.Reload(t.Context())

	if err != nil || e.Revision() != before {
		t.Errorf("reload beside a stray file: revision %q, error %v; want %q and none", e.Revision(), err, before)
	}
}

// TestEmptyOPAConfigurationIsNone: a printed configuration holds an empty authz.opa.
func TestEmptyOPAConfigurationIsNone(t *testing.T) {
	e := open(t, authz.Options{OPA: map[string]any{}})

	if err := e.Ready(); err != nil {
		t.Errorf("built-in policy with an empty OPA configuration: %v", err)
	}
}
