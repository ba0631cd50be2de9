package policy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/tester"

	"sark/configs/policy"
)

// TestPolicy runs the Rego tests. Every line of every rule has to be reached by one of them.
func TestPolicy(t *testing.T) {
	modules := parse(t)
	coverage := cover.New()
	results, err := tester.NewRunner().
		SetModules(modules).
		SetCoverageQueryTracer(coverage).
		RunTests(t.Context(), nil)
	if err != nil {
		t.Fatalf("run Rego tests: %v", err)
	}
	ran := map[string]int{} // by file
	for r := range results {
		ran[r.Location.File]++
		if !r.Pass() {
			t.Errorf("%s: %v", r.Location, r)
		}
	}
	for _, name := range sources(t, os.DirFS(".")) {
		if test := strings.TrimSuffix(name, ".rego") + "_test.rego"; ran[test] == 0 {
			t.Errorf("%s has no tests in %s", name, test)
		}
	}
	for name, file := range coverage.Report(modules).Files {
		if len(file.NotCovered) > 0 && !strings.HasSuffix(name, "_test.rego") {
			t.Errorf("%s: no test reaches %v", name, file.NotCovered)
		}
	}
}

// TestEmbedded checks that the binary holds every file of the policy, and no test.
func TestEmbedded(t *testing.T) {
	if diff := cmp.Diff(sources(t, os.DirFS(".")), sources(t, policy.FS)); diff != "" {
		t.Errorf("embedded files (-in the directory +embedded):\n%s", diff)
	}
}

// TestFormatted checks that "opa fmt" would change nothing.
func TestFormatted(t *testing.T) {
	for name, content := range read(t) {
		formatted, err := format.Source(name, content)
		if err != nil {
			t.Fatalf("format %s: %v", name, err)
		}
		if diff := cmp.Diff(string(content), string(formatted)); diff != "" {
			t.Errorf("%s (-is +formatted):\n%s", name, diff)
		}
	}
}

// sources returns the names of the Rego files that are not tests.
func sources(t *testing.T, files fs.FS) []string {
	t.Helper()
	names, err := fs.Glob(files, "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.rego") })
}

func read(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("*.rego")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func parse(t *testing.T) map[string]*ast.Module {
	t.Helper()
	modules := map[string]*ast.Module{}
	for name, content := range read(t) {
		m, err := ast.ParseModuleWithOpts(name, string(content), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			t.Fatalf("parse %s: %v", name, err)
		}
		modules[name] = m
	}
	return modules
}
