package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	opametrics "github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/open-policy-agent/opa/v1/server"
)

// errNoDecisionLogs is for an engine whose OPA configuration asks for no decision logs.
var errNoDecisionLogs = errors.New("the OPA configuration has no decision_logs")

// LogsDecisions reports whether the OPA configuration asks for decision logs, or may do so when it is discovered.
func (e *Engine) LogsDecisions() bool { return e.discovers || logs.Lookup(e.manager) != nil }

// LogDecision hands a decision to OPA's decision log plugin, which masks and drops by data.system.log, buffers and uploads
// events in OPA's schema. Until a configuration is discovered there is nothing to hand it to. It costs some 15 µs of processor time and more: call it off the way of requests.
func (e *Engine) LogDecision(ctx context.Context, in *Input, d *Decision) error {
	plugin := logs.Lookup(e.manager)
	if plugin == nil && e.discovers {
		return nil
	}
	if plugin == nil {
		return errNoDecisionLogs
	}
	info, err := e.logged(in, d)
	if err != nil {
		return fmt.Errorf("log decision %s: %w", d.ID, err)
	}
	// The rules that mask and drop are asked in this transaction; without one the plugin opens its own under its lock, which
	// an activation may hold up for ever (open-policy-agent/opa#3722).
	txn, err := e.store.NewTransaction(ctx)
	if err != nil {
		return fmt.Errorf("log decision %s: %w", d.ID, err)
	}
	defer e.store.Abort(ctx, txn)
	info.Txn = txn
	if err := plugin.Log(ctx, info); err != nil {
		return fmt.Errorf("log decision %s: %w", d.ID, err)
	}
	return nil
}

// logged is a decision in the plugin's terms. The input is made anew, since masking changes it in place.
func (e *Engine) logged(in *Input, d *Decision) (*server.Info, error) {
	doc, err := document(in, e.settings.Load(), e.whole)
	if err != nil {
		return nil, err
	}
	input, err := ast.JSON(doc)
	if err != nil {
		return nil, fmt.Errorf("convert policy input: %w", err)
	}
	result, err := d.plain()
	if err != nil {
		return nil, fmt.Errorf("convert decision: %w", err)
	}
	info := &server.Info{
		DecisionID: d.ID.String(), Path: "sark/decision", Timestamp: in.Time, Input: &input, Results: &result,
		Bundles: map[string]server.BundleInfo{localBundle: {Revision: d.Revision}}, Metrics: opametrics.New(), Error: d.Err,
	}
	if in.Request.ClientIP.IsValid() {
		info.RemoteAddr = in.Request.ClientIP.String()
	}
	return info, nil
}

// plain returns a decision as a policy writes it.
func (d *Decision) plain() (any, error) {
	type limit struct {
		Key    string  `json:"key"`
		Rate   int     `json:"rate"`
		Period float64 `json:"period"`
		Burst  int     `json:"burst"`
	}
	var obligations struct {
		Redact   []RedactRule       `json:"redact,omitempty"`
		Cache    map[string]float64 `json:"cache,omitempty"`
		Limit    *limit             `json:"limit,omitempty"`
		Severity string             `json:"severity,omitempty"`
	}
	o := &d.Obligations
	if o.Redact != nil {
		obligations.Redact = o.Redact.Rules
	}
	if o.CacheTTL >= 0 {
		obligations.Cache = map[string]float64{"ttl": o.CacheTTL.Seconds()}
	}
	if l := o.Limit; l != nil {
		obligations.Limit = &limit{l.Key, l.Rate, l.Period.Seconds(), l.Burst}
	}
	obligations.Severity = o.Severity
	raw, err := json.Marshal(map[string]any{"allow": d.Allow, "reason": d.Reason, "rule": d.Rule, "obligations": obligations})
	if err != nil {
		return nil, err
	}
	var plain any
	err = json.Unmarshal(raw, &plain)
	return plain, err
}
