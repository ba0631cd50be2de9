package validation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"sark/authz"
	"sark/authz/lint"
	"sark/authz/policytest"
)

const (
	// evaluationTimeout bounds one evaluation.
	evaluationTimeout = 500 * time.Millisecond
	// Timeout bounds all cases together.
	Timeout = 3 * time.Second
)

// Candidate is a policy to judge.
type Candidate struct {
	// Modules are Rego texts by file name.
	Modules map[string]string
	// Data is its data; nil is none.
	Data map[string]any
	// Cases are questions and expected answers.
	Cases []policytest.Case
}

// Judgement is what is to be said of a candidate.
type Judgement struct {
	// Valid is true when there are no errors and every case has passed.
	Valid bool
	// Errors keep the policy from being served; Warnings do not.
	Errors, Warnings []lint.Finding
	// Results has one result for each case; empty when the policy does not compile.
	Results []Result
}

// Result is the outcome of one case.
type Result struct {
	Name   string
	Passed bool
	Why    string // empty when it passed
}

// Judge compiles a candidate, lints it and asks it the cases, in at most Timeout.
func Judge(ctx context.Context, c Candidate) Judgement {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	j := Judgement{Errors: []lint.Finding{}, Warnings: []lint.Finding{}, Results: []Result{}}
	b := j.parse(&c)
	if len(j.Errors) > 0 {
		return j
	}
	for _, f := range lint.Bundle(ctx, b, lint.Options{}) {
		if f.Severity == lint.Error {
			j.Errors = append(j.Errors, f)
			continue
		}
		j.Warnings = append(j.Warnings, f)
	}
	trial, err := authz.NewTrial(ctx, b, authz.Settings{Timeout: evaluationTimeout}, harmless())
	if err != nil && len(j.Errors) == 0 {
		j.Errors = append(j.Errors, lint.Finding{Code: "COMPILE_ERROR", Severity: lint.Error, Message: err.Error()})
	}
	if err != nil {
		return j
	}
	j.Valid = len(j.Errors) == 0
	for i := range c.Cases {
		j.ask(ctx, trial, &c.Cases[i])
	}
	return j
}

// ask asks one case, unless the time is over.
func (j *Judgement) ask(ctx context.Context, t *authz.Trial, c *policytest.Case) {
	r := Result{Name: c.Name}
	if ctx.Err() != nil {
		r.Why = "not asked: the cases before took too long"
	} else {
		r.Why = policytest.Check(ctx, t, nil, c)
	}
	r.Passed = r.Why == ""
	j.Valid = j.Valid && r.Passed
	j.Results = append(j.Results, r)
}

// parse makes a bundle of the texts, and notes what cannot be read.
func (j *Judgement) parse(c *Candidate) *bundle.Bundle {
	b := &bundle.Bundle{Data: c.Data}
	b.Manifest.Init()
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		text := c.Modules[name]
		module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			j.Errors = append(j.Errors, parseErrors(name, err)...)
			continue
		}
		b.Modules = append(b.Modules, bundle.ModuleFile{URL: name, Path: name, Raw: []byte(text), Parsed: module})
	}
	return b
}

func parseErrors(name string, err error) []lint.Finding {
	var several ast.Errors
	if !errors.As(err, &several) {
		return []lint.Finding{{Code: "PARSE_ERROR", Severity: lint.Error, File: name, Message: err.Error()}}
	}
	found := make([]lint.Finding, 0, len(several))
	for _, e := range several {
		f := lint.Finding{Code: "PARSE_ERROR", Severity: lint.Error, File: name, Message: e.Message}
		if e.Location != nil {
			f.Line = e.Location.Row
		}
		found = append(found, f)
	}
	return found
}

// harmless are the capabilities of a policy that nobody trusts: no network, and nothing of the process that runs it.
func harmless() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return b.Name == ast.HTTPSend.Name || b.Name == ast.OPARuntime.Name || b.Name == ast.NetLookupIPAddr.Name
	})
	c.AllowNet = []string{}
	return c
}
