package policytest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"sark/authz"
	"sark/configs/policy"
)

// Suite is a policy and its tests.
type Suite struct {
	bundle *bundle.Bundle
	trial  *authz.Trial
	tests  map[string]*ast.Module // Rego tests by file
	cases  []caseFile
	loc    authz.Settings
	root   string // what file names begin with and reports leave out
}

// caseFile is a file of cases.
type caseFile struct {
	name  string
	cases []Case
}

// Options say what is tested.
type Options struct {
	// Bundle is a policy directory or bundle file; empty takes what is built in, with its own tests.
	Bundle string
	// Tests is a directory of further tests, or a file of cases; empty takes those that lie in the bundle's directory.
	Tests string
	// Settings are those of the gateway whose policy this is.
	Settings authz.Settings
}

// Load reads a policy and its tests: the files *_test.rego, and the files *_test.yaml with cases. Hidden files and
// directories are left out, as they are no part of a policy either.
func Load(ctx context.Context, o Options) (*Suite, error) {
	b, err := authz.ReadBundle(o.Bundle)
	if err != nil {
		return nil, err
	}
	s := &Suite{bundle: b, loc: o.Settings, tests: map[string]*ast.Module{}}
	if s.trial, err = authz.NewTrial(ctx, b, o.Settings, nil); err != nil {
		return nil, err
	}
	return s, s.readTests(o)
}

// readTests finds the tests.
func (s *Suite) readTests(o Options) error {
	where := o.Tests
	if where == "" && o.Bundle == "" {
		return s.readTree(policy.Tests, "")
	}
	if where == "" {
		where = o.Bundle
	}
	info, err := os.Stat(where)
	if err != nil {
		return err
	}
	if !info.IsDir() && o.Tests == "" {
		return nil // a bundle file holds no tests
	}
	if !info.IsDir() {
		return s.readFile(os.DirFS(filepath.Dir(where)), filepath.Base(where), filepath.Dir(where))
	}
	root, err := filepath.EvalSymlinks(where)
	if err != nil {
		return err
	}
	s.root = root
	return s.readTree(os.DirFS(root), root)
}

// readTree reads all tests below a directory.
func (s *Suite) readTree(files fs.FS, root string) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !isTest(name):
			return nil
		}
		return s.readFile(files, name, root)
	})
}

func isTest(name string) bool {
	return slices.ContainsFunc([]string{"_test.rego", "_test.yaml", "_test.yml"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

// readFile reads one file of tests.
func (s *Suite) readFile(files fs.FS, name, root string) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	full := path.Join(filepath.ToSlash(root), name)
	if strings.HasSuffix(name, ".rego") {
		module, err := ast.ParseModuleWithOpts(full, string(text), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		s.tests[full] = module
		return nil
	}
	cases, err := ParseCases(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", full, err)
	}
	s.cases = append(s.cases, caseFile{full, cases})
	return nil
}

// short leaves out of a file name what all have in common.
func (s *Suite) short(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, s.root), "/")
}
