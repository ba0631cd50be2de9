package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opametrics "github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// The tiers that find decisions.
const (
	tierMemo    = "memo"    // remembered
	tierTopdown = "topdown" // made by OPA's interpreter
)

var errTimeout = errors.New("the policy took longer than its deadline")

// evalOptions returns the options that every evaluation shares: the snapshot's own transaction, no metrics, and the result
// as a term instead of Go maps.
func evalOptions(txn storage.Transaction) []rego.EvalOption {
	asTerm := func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }
	return slices.Clip([]rego.EvalOption{
		rego.EvalTransaction(txn),
		rego.EvalMetrics(opametrics.NoOp()),
		rego.EvalGenerateJSON(asTerm),
	})
}

// decide evaluates the entry point on doc until the deadline. A panic of the interpreter is a deny like any other failure.
func (p *program) decide(ctx context.Context, doc ast.Value, now, until time.Time) (d Decision) {
	defer func() {
		if r := recover(); r != nil {
			d = unavailable(fmt.Errorf("BUG: policy evaluation panicked: %v", r))
		}
		d.Revision = p.revision
	}()
	result, err := p.evaluate(ctx, doc, now, until)
	switch {
	case err != nil:
		return unavailable(err)
	case result == nil:
		return Decision{Reason: ReasonUndefined, Obligations: noObligations}
	}
	return parseDecision(result)
}

// evaluate returns the value of the entry point, nil when it is undefined.
func (p *program) evaluate(ctx context.Context, doc ast.Value, now, until time.Time) (ast.Value, error) {
	if p.blocks {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	results, err := p.query.Eval(ctx, append(p.options,
		rego.EvalParsedInput(doc),
		rego.EvalTime(now),
		rego.EvalExternalCancel(newDeadline(ctx, until)),
	)...)
	if err != nil {
		return nil, evaluationError(ctx, err)
	}
	if len(results) == 0 {
		return nil, nil
	}
	return results[0].Expressions[0].Value.(*ast.Term).Value, nil
}

func evaluationError(ctx context.Context, err error) error {
	if !topdown.IsCancel(err) {
		return fmt.Errorf("evaluate policy: %w", err)
	}
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return fmt.Errorf("evaluate policy: %w", cause)
	}
	return errTimeout
}

// unavailable is the deny of an engine that could not ask the policy.
func unavailable(err error) Decision {
	return Decision{Reason: ReasonUnavailable, Err: err, Obligations: noObligations}
}
