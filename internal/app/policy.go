package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"sark/authz"
	"sark/configs"
)

// sequenceFile is where in data_dir the numbers of policy bundles are kept.
const sequenceFile = "policy-sequences.json"

// openPolicy opens the policy, and what listens to its decisions.
func (g *gateway) openPolicy(ctx context.Context) error {
	zone, err := time.LoadLocation(g.c.Authz.Timezone)
	if err != nil {
		return fmt.Errorf("authz.timezone: %w", err)
	}
	o := authz.Options{
		Bundle: g.c.Authz.Bundle, OPA: g.c.Authz.OPA, Timeout: g.c.Authz.Timeout, Location: zone,
		PolicyConfig: g.c.Authz.PolicyConfig, SequenceFile: filepath.Join(g.c.DataDir, sequenceFile), Log: g.log, Metrics: g.metrics,
	}
	if g.engine, err = authz.Open(ctx, o); err != nil {
		return fmt.Errorf("%s: %w", PolicyKey(g.c), err)
	}
	g.life.onStop("policy", func(ctx context.Context) error { g.engine.Close(ctx); return nil })
	g.decider = g.engine
	return errors.Join(g.openDecisionLog(), g.openShadow(ctx, o))
}

// PolicyKey names the setting that says where the policy comes from.
func PolicyKey(c *configs.Config) string {
	if len(c.Authz.OPA) > 0 {
		return "authz.opa"
	}
	return "authz.bundle"
}

// openDecisionLog hands decisions to OPA's decision logs, if there are any.
func (g *gateway) openDecisionLog() error {
	if !g.engine.LogsDecisions() {
		return nil
	}
	wait := time.Duration(0)
	if g.c.Authz.DecisionLog.Overflow == "wait" {
		wait = g.c.Authz.Timeout
	}
	log, err := authz.NewObserver(authz.ObserverOptions{
		Name: "decision_log", Decider: g.decider, Sample: 1, Queue: g.c.Authz.DecisionLog.Queue, Wait: wait, Log: g.log, Metrics: g.metrics,
		Handle: func(ctx context.Context, in *authz.Input, d *authz.Decision) {
			if err := g.engine.LogDecision(ctx, in, d); err != nil {
				g.log.Warn("decision not logged", zap.Stringer("decision_id", d.ID), zap.Error(err))
			}
		},
	})
	if err != nil {
		return err
	}
	g.decider = log
	g.life.onStop("decision log", func(ctx context.Context) error { log.Close(ctx); return nil })
	return nil
}

// openShadow compares decisions with those of another policy, if there is one. Its settings are those of the policy in force.
func (g *gateway) openShadow(ctx context.Context, o authz.Options) error {
	if g.c.Authz.Shadow.Bundle == "" {
		return nil
	}
	o.Bundle, o.OPA, o.Metrics, o.Log = g.c.Authz.Shadow.Bundle, nil, nil, g.log.Named("shadow")
	candidate, err := authz.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("authz.shadow.bundle: %w", err)
	}
	g.life.onStop("shadow policy", func(ctx context.Context) error { candidate.Close(ctx); return nil })
	g.candidate = candidate
	shadow, err := authz.NewShadow(authz.ShadowOptions{
		Decider: g.decider, Candidate: candidate, Sample: float64(g.c.Authz.Shadow.Sample) / 100, Flip: g.recordFlip,
		Log: g.log, Metrics: g.metrics,
	})
	if err != nil {
		return err
	}
	g.decider = shadow
	g.life.onStop("shadow comparison", func(ctx context.Context) error { shadow.Close(ctx); return nil })
	return nil
}

// applyPolicy puts new settings in force, for the shadow policy too: else it would answer another question.
func (g *gateway) applyPolicy(s authz.Settings) error {
	if err := g.engine.Apply(s); err != nil || g.candidate == nil {
		return err
	}
	return g.candidate.Apply(s)
}
