package authz

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// ShadowOptions say which policy is compared with the one in force.
type ShadowOptions struct {
	// Decider answers with the policy in force. Required.
	Decider Decider
	// Candidate is the engine of the shadow policy. Required; whoever opened it closes it, after the shadow.
	Candidate *Engine
	// Sample is the share of decisions that are compared, 0 to 1.
	Sample float64
	// Flip is told of decisions about requests, not of those about items of lists, that the candidate would turn. It may be
	// nil.
	Flip func(Flip)
	// Log hears of panics; nil discards.
	Log *zap.Logger
	// Metrics registers sark_authz_shadow_*; nil keeps them unregistered.
	Metrics prometheus.Registerer
}

// Flip is a decision that a shadow policy would turn.
type Flip struct {
	// Input is a copy of the question.
	Input *Input
	// Was is the answer in force, Would that of the candidate.
	Was, Would Decision
}

// Shadow compares a candidate with the policy in force, off the way of requests. Nothing that the candidate answers, and no
// failure of it, can change a decision: decisions were made, and given out, before it is asked.
type Shadow struct {
	*Observer
	o           ShadowOptions
	comparisons *prometheus.CounterVec
}

// NewShadow starts comparing; Close ends it.
func NewShadow(o ShadowOptions) (*Shadow, error) {
	if o.Decider == nil || o.Candidate == nil {
		return nil, errors.New("new shadow: Decider and Candidate are required")
	}
	s := &Shadow{o: o, comparisons: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sark_authz_shadow_comparisons_total",
		Help: "Decisions compared with those of the shadow policy, by result: same, obligations, allow_to_deny, deny_to_allow, or error when the candidate could not answer.",
	}, []string{"result", "phase"})}
	if err := register(o.Metrics, s.comparisons); err != nil {
		return nil, fmt.Errorf("register metrics of the shadow policy: %w", err)
	}
	var err error
	s.Observer, err = NewObserver(ObserverOptions{
		Name: "shadow", Decider: o.Decider, Handle: s.compare, Sample: o.Sample, Log: o.Log, Metrics: o.Metrics,
	})
	return s, err
}

// compare asks the candidate what it would have said. Denials that an engine made by itself, because it could not ask its
// policy, say nothing about a policy.
func (s *Shadow) compare(ctx context.Context, in *Input, was *Decision) {
	would := s.o.Candidate.Decide(ctx, in)
	result := comparison(was, &would)
	s.comparisons.WithLabelValues(result, phase(in)).Inc()
	flipped := result == "allow_to_deny" || result == "deny_to_allow"
	if flipped && phase(in) != PhaseList && s.o.Flip != nil {
		s.o.Flip(Flip{Input: in, Was: *was, Would: would})
	}
}

func comparison(was, would *Decision) string {
	switch {
	case was.Reason == ReasonUnavailable || would.Reason == ReasonUnavailable:
		return "error"
	case was.Allow && !would.Allow:
		return "allow_to_deny"
	case !was.Allow && would.Allow:
		return "deny_to_allow"
	case was.Allow && !was.Obligations.equal(&would.Obligations):
		return "obligations"
	}
	return "same"
}

// equal reports whether two allows demand the same.
func (o *Obligations) equal(p *Obligations) bool {
	limits := o.Limit == p.Limit || o.Limit != nil && p.Limit != nil && *o.Limit == *p.Limit
	return limits && o.CacheTTL == p.CacheTTL && o.Severity == p.Severity && o.Redact.Equal(p.Redact)
}
