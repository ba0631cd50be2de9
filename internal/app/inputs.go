package app

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"sark/authz"
	"sark/configs"
	"sark/internal/audit"
)

// InputStore is what of a Database keeps decision inputs for their time.
type InputStore interface {
	ExpireDecisionInputs(ctx context.Context, before time.Time) (int64, error)
}

// What authz.inputs.denials records at the most: a week of it is less than a gigabyte.
const (
	denialsPerMinute = 30
	denialsAtOnce    = 600
)

// recordInput returns what records the inputs of decisions, nil when none is to be. Secrets are taken out as in the trail.
func (g *gateway) recordInput(all *configs.Config) func(*authz.Input, *authz.Decision) {
	c := all.Authz.Inputs
	if c.Sample == 0 && !c.Denials {
		return nil
	}
	denials := rate.NewLimiter(rate.Every(time.Minute/denialsPerMinute), denialsAtOnce)
	redactor := audit.NewRedactor(all.Audit.Redact...)
	digest := g.hasher
	if c.Arguments {
		digest = nil
	}
	return func(in *authz.Input, d *authz.Decision) {
		sampled := c.Sample == 100 || c.Sample > 0 && rand.IntN(100) < c.Sample //nolint:gosec // a sample is no secret
		if !sampled && (d.Allow || !c.Denials || !denials.Allow()) {
			return
		}
		doc, err := g.engine.RecordedDocument(in, digest)
		if err == nil {
			doc, err = redactor.Append(nil, doc)
		}
		if err != nil {
			g.log.Debug("decision input not recorded", zap.Stringer("decision_id", d.ID), zap.Error(err))
			return
		}
		g.spool.RecordInput(&audit.Input{DecisionID: d.ID, Time: in.Time, Allow: d.Allow, Revision: d.Revision, Rule: d.Rule, Document: doc})
	}
}

// expireEvery is how often inputs are looked at whose time is over.
const expireEvery = time.Hour

// openInputs keeps decision inputs for no longer than they shall be.
func (g *gateway) openInputs(context.Context) error {
	keep := g.c.Authz.Inputs.Retention
	db, ok := g.db.(InputStore)
	if !ok || keep <= 0 {
		return nil
	}
	g.life.background("decision inputs", func(ctx context.Context) {
		for {
			guarded(g.log, "decision inputs", func() { g.expireInputs(ctx, db, keep) })
			select {
			case <-ctx.Done():
				return
			case <-time.After(expireEvery):
			}
		}
	})
	return nil
}

// expireInputs deletes the decision inputs that are older than keep.
func (g *gateway) expireInputs(ctx context.Context, db InputStore, keep time.Duration) {
	n, err := db.ExpireDecisionInputs(ctx, time.Now().Add(-keep))
	switch {
	case err != nil && ctx.Err() == nil:
		g.log.Warn("old decision inputs stay for now", zap.Error(err))
	case n > 0:
		g.log.Info("old decision inputs deleted", zap.Int64("inputs", n))
	}
}
