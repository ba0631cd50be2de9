package api

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"sark/authz/lint"
	"sark/authz/policytest"
	"sark/authz/validation"
)

const (
	// maxPolicy bounds the texts of a policy to validate, all together, in bytes.
	maxPolicy = 256 << 10
	// maxModules and maxCases bound how many files and cases there may be.
	maxModules = 64
	maxCases   = 200
)

// candidate is the body of POST /api/v1/policy/validate. PolicyContent is a policy of one file.
type candidate struct {
	PolicyContent string            `json:"policy_content"`
	Modules       map[string]string `json:"modules"`
	Data          map[string]any    `json:"data"`
	TestCases     []jsontext.Value  `json:"test_cases"`
}

// judgement is the reply.
type judgement struct {
	Valid       bool         `json:"valid"`
	Errors      []finding    `json:"errors"`
	Warnings    []finding    `json:"warnings"`
	TestResults []testResult `json:"test_results"`
}

// finding is what is wrong with a policy.
type finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Message  string `json:"message"`
}

// testResult is the outcome of one case.
type testResult struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Why    string `json:"why"`
}

// validatePolicy answers POST /api/v1/policy/validate: would this policy load, and what would it say? One is validated at a
// time, because it may use a processor for as long as it is given.
func (a *API) validatePolicy(ctx context.Context, r *request) error {
	var body candidate
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	c, err := body.candidate()
	if err != nil {
		return err
	}
	done, err := a.beginTrial()
	if err != nil {
		return err
	}
	defer done()
	return writeJSON(r.out, fasthttp.StatusOK, judgementOf(validation.Judge(ctx, c)))
}

// beginTrial lets one policy at a time be evaluated off the way of decisions; done ends it.
func (a *API) beginTrial() (done func(), err error) {
	select {
	case a.validating <- struct{}{}:
		return func() { <-a.validating }, nil
	default:
		return nil, &Problem{Status: fasthttp.StatusTooManyRequests, Code: "busy", Detail: "Another policy is being validated or explained"}
	}
}

// candidate checks the body and reads the cases.
func (b *candidate) candidate() (validation.Candidate, error) {
	var m mistakes
	modules, size := b.Modules, len(b.PolicyContent)
	if modules == nil {
		modules = map[string]string{}
	}
	for name, text := range modules {
		size += len(text)
		m.line(name, maxName, "modules")
	}
	switch {
	case b.PolicyContent == "" && len(modules) == 0:
		m.add("missing", "The field is required, unless there are modules", "policy_content")
	case b.PolicyContent != "" && len(modules) > 0:
		m.add("value_error", "One of policy_content and modules", "policy_content")
	case b.PolicyContent != "":
		modules["policy.rego"] = b.PolicyContent
	}
	if size > maxPolicy || len(modules) > maxModules {
		m.add("too_long", "A policy may have "+strconv.Itoa(maxPolicy)+" bytes in "+strconv.Itoa(maxModules)+" modules", "modules")
	}
	if len(b.TestCases) > maxCases {
		m.add("too_long", "There may be "+strconv.Itoa(maxCases)+" cases", "test_cases")
	}
	if err := m.problem(); err != nil {
		return validation.Candidate{}, err
	}
	cases, err := b.cases()
	return validation.Candidate{Modules: modules, Data: b.Data, Cases: cases}, err
}

// cases reads the cases, in the form of the files that sark policy test runs.
func (b *candidate) cases() ([]policytest.Case, error) {
	if len(b.TestCases) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(map[string]any{"cases": b.TestCases})
	if err != nil {
		return nil, err
	}
	cases, err := policytest.ParseCases(text)
	if err != nil {
		return nil, unprocessable(FieldError{Loc: []any{"body", "test_cases"}, Msg: err.Error(), Type: "value_error"})
	}
	return cases, nil
}

func judgementOf(j validation.Judgement) judgement {
	reply := judgement{
		Valid: j.Valid, Errors: findings(j.Errors), Warnings: findings(j.Warnings), TestResults: make([]testResult, 0, len(j.Results)),
	}
	for _, r := range j.Results {
		reply.TestResults = append(reply.TestResults, testResult(r))
	}
	return reply
}

func findings(found []lint.Finding) []finding {
	list := make([]finding, 0, len(found))
	for _, f := range found {
		list = append(list, finding{Code: f.Code, Severity: f.Severity, File: f.File, Line: f.Line, Message: f.Message})
	}
	return list
}
