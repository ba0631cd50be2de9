package api

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/store"
)

// defaultCacheTTL is how long an answer may be kept when the policy says nothing, in seconds.
const defaultCacheTTL = 60

// authorization is the body of POST /api/v1/gateway/authorize, in the shape of SARK 0.x. Its parts beyond those of an
// evaluation are GatewayMetadata, which policies see as input.context.gateway_metadata, and SensitivityLevel, which can raise
// the level that the gateway knows and never lower it.
type authorization struct {
	Action           string         `json:"action"`
	ServerName       string         `json:"server_name"`
	ToolName         string         `json:"tool_name"`
	Parameters       jsontext.Value `json:"parameters"`
	GatewayMetadata  map[string]any `json:"gateway_metadata"`
	SensitivityLevel string         `json:"sensitivity_level"`
	Context          map[string]any `json:"context"`
}

// authorized is the reply.
type authorized struct {
	Allow              bool                      `json:"allow"`
	Reason             string                    `json:"reason"`
	FilteredParameters jsontext.Value            `json:"filtered_parameters"`
	AuditID            *string                   `json:"audit_id"`
	CacheTTL           int                       `json:"cache_ttl"` // seconds
	Obligations        authz.ObligationsDocument `json:"obligations"`
	Rule               string                    `json:"rule"`
	DecisionID         string                    `json:"decision_id"`
	PolicyRevision     string                    `json:"policy_revision"`
}

// gatewayAction returns the action that stands for one of SARK 0.x; empty when there is none.
func gatewayAction(name string) string {
	switch name {
	case "gateway:tool:invoke":
		return "tool:invoke"
	case "gateway:tool:discover", "gateway:tools:discover", "gateway:tool:list", "gateway:tools:list":
		return "tool:list"
	case "gateway:server:list", "gateway:servers:list", "gateway:server:info":
		return "server:read"
	case "gateway:server:register":
		return "server:register"
	case "gateway:audit:view":
		return "audit:read"
	}
	return ""
}

// authorize answers POST /api/v1/gateway/authorize: may the caller do this? It is an evaluation for the caller; a server that
// nobody knows is denied.
func (a *API) authorize(ctx context.Context, r *request) error {
	var body authorization
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	asked, err := body.evaluation()
	if err != nil {
		return err
	}
	in, err := a.question(ctx, r, asked)
	var refused *Problem
	if errors.As(err, &refused) && refused.Status == fasthttp.StatusNotFound {
		return writeJSON(r.out, fasthttp.StatusOK, authorized{
			Reason: "No server has this name", FilteredParameters: jsontext.Value("null"), AuditID: optional(text(r.caller.ExchangeID)),
		})
	}
	if err != nil {
		return err
	}
	for _, level := range []*string{&in.Server.SensitivityLevel, &in.Tool.SensitivityLevel, &in.Resource.SensitivityLevel} {
		*level = higher(*level, body.SensitivityLevel)
	}
	d := a.o.Decider.Decide(ctx, in)
	v := verdictOf(&d, asked, r.caller.ExchangeID)
	return writeJSON(r.out, fasthttp.StatusOK, authorized{
		Allow: d.Allow, Reason: v.Reason, FilteredParameters: v.FilteredParameters, AuditID: v.AuditID, CacheTTL: ttlOf(&v),
		Obligations: v.Obligations, Rule: v.Rule, DecisionID: v.DecisionID, PolicyRevision: v.PolicyRevision,
	})
}

// ttlOf returns how long an answer may be kept: a deny not at all.
func ttlOf(v *verdict) int {
	switch {
	case v.Decision != word(true):
		return 0
	case v.Obligations.CacheTTL != nil:
		return int(min(*v.Obligations.CacheTTL, defaultCacheTTL))
	}
	return defaultCacheTTL
}

// evaluation is the same question in our own words.
func (b *authorization) evaluation() (*evaluation, error) {
	var m mistakes
	action := gatewayAction(b.Action)
	if action == "" {
		m.add("enum", "The value should be one of gateway:tool:invoke, gateway:tool:discover, gateway:server:list, gateway:server:info, "+
			"gateway:server:register, gateway:audit:view", "action")
	}
	if action == "tool:invoke" && b.ToolName == "" {
		m.add("missing", "The field is required when the action is "+b.Action, "tool_name")
	}
	m.line(b.ServerName, maxName, "server_name")
	m.line(b.ToolName, maxName, "tool_name")
	m.object(b.Parameters, maxParameters, "parameters")
	if b.SensitivityLevel != "" {
		m.oneOf(b.SensitivityLevel, store.Sensitivities(), "sensitivity_level")
	}
	seen := b.Context
	if b.GatewayMetadata != nil {
		seen = map[string]any{}
		for key, value := range b.Context {
			seen[key] = value
		}
		seen["gateway_metadata"] = b.GatewayMetadata
	}
	return &evaluation{
		Action: &action, Tool: b.ToolName, ServerID: b.ServerName, Parameters: b.Parameters, Context: seen,
	}, m.problem()
}
