package api

import (
	"context"

	"github.com/valyala/fasthttp"

	"sark/authz"
)

// Policies knows what the engine has loaded.
type Policies interface {
	Bundles(ctx context.Context) ([]authz.Bundle, error)
	// Revision is that of the policy in force; empty when there is none.
	Revision() string
	// LastError is why the latest policy is not in force.
	LastError() error
	Analysis() authz.Analysis
	// Trial is the policy in force and its revision, for explanations; nil when there is none.
	Trial() (*authz.Trial, string)
}

// policyList is the reply to GET /api/v1/policy/list.
type policyList struct {
	Policies []policyItem `json:"policies"`
	Total    int          `json:"total"`
	// Revision is that of the policy in force, and UpToDate false when a newer one could not be loaded.
	Revision   string `json:"revision"`
	UpToDate   bool   `json:"up_to_date"`
	EntryPoint string `json:"entry_point"`
	// Memoised is true when decisions are remembered.
	Memoised bool `json:"memoised"`
}

// policyItem is one bundle.
type policyItem struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Path    *string  `json:"path"`
	Roots   []string `json:"roots"`
	Active  bool     `json:"active"`
}

// listPolicies answers GET /api/v1/policy/list: which bundles are loaded, in which revisions.
func (a *API) listPolicies(ctx context.Context, r *request) error {
	if q := readQuery(r); q.err != nil {
		return q.err
	}
	known := a.o.Policies
	if known == nil {
		return &Problem{Status: fasthttp.StatusServiceUnavailable, Code: "policy_unavailable", Detail: "No policy engine is here"}
	}
	bundles, err := known.Bundles(ctx)
	if err != nil {
		return err
	}
	reply := policyList{
		Policies: make([]policyItem, 0, len(bundles)), Total: len(bundles), Revision: known.Revision(),
		UpToDate: known.LastError() == nil, EntryPoint: authz.EntryPoint().String(), Memoised: known.Analysis().Memoised,
	}
	for _, b := range bundles {
		reply.Policies = append(reply.Policies, policyItem{
			Name: b.Name, Version: b.Revision, Path: optional(b.Path), Roots: list(b.Roots), Active: reply.Revision != "",
		})
	}
	return writeJSON(r.out, fasthttp.StatusOK, reply)
}
