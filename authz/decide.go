package authz

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Decide asks the policy. It never fails: whatever goes wrong is a deny with a reason, and Decision.Err says what it was.
// It returns within the timeout, also when the policy loops, and leaves nothing running.
func (e *Engine) Decide(ctx context.Context, in *Input) (d Decision) {
	s := e.active.Load()
	if s == nil {
		d = unavailable(e.Ready())
		e.finish(&d, in.Time)
		return d
	}
	k := s.memo.key(in, s.settings)
	found := s.memo.find(k)
	if found != nil {
		d = *found
	} else {
		d = e.ask(ctx, s, in)
		s.memo.keep(k, &d)
	}
	e.metrics.lookedUp(k != nil, found != nil)
	k.release()
	e.finish(&d, in.Time)
	return d
}

// ask evaluates the policy on a question. Whatever evaluates faster than the interpreter, and declines what it cannot,
// belongs here before it.
func (e *Engine) ask(ctx context.Context, s *snapshot, in *Input) Decision {
	doc, err := document(in, s.settings, s.parts)
	if err != nil {
		return unavailable(fmt.Errorf("build policy input: %w", err))
	}
	return e.interpret(ctx, s, doc, in.Time)
}

// interpret evaluates the policy on a document.
func (e *Engine) interpret(ctx context.Context, s *snapshot, doc ast.Value, now time.Time) Decision {
	start := time.Now()
	d := s.decide(ctx, doc, now, start.Add(s.settings.timeout))
	e.metrics.evaluation.Observe(time.Since(start).Seconds())
	return d
}

// EvalJSON decides on an input document as policies see it. Fields may be missing; input.policy_config is the engine's when
// the document has none. The policy is evaluated, also when a decision on the same question is remembered. The error is
// about the document: it is not one JSON object.
func (e *Engine) EvalJSON(ctx context.Context, input []byte) (Decision, error) {
	s, now := e.active.Load(), time.Now()
	doc, err := parseDocument(input)
	if err != nil {
		return Decision{}, err
	}
	d := unavailable(e.Ready())
	if s != nil {
		if doc.Get(keyPolicyConfig) == nil {
			doc.Insert(keyPolicyConfig, s.settings.policyConfig)
		}
		d = e.interpret(ctx, s, doc, now)
	}
	e.finish(&d, now)
	return d, nil
}

// finish gives a decision its id and counts it.
func (e *Engine) finish(d *Decision, now time.Time) {
	e.metrics.decided(d)
	stamp(&d.ID, now)
}
