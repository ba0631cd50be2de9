package app

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
)

// RetentionEvent is the event type of an event that says which events were removed for their age.
const RetentionEvent = "audit_retention"

// openMaintenance keeps the trail in order beside the calls. It stops before the shipper, which then still carries over what
// was recorded of the last round.
func (g *gateway) openMaintenance(context.Context) error {
	retention := g.c.Audit.Retention
	m, err := store.NewMaintenance(store.MaintenanceOptions{
		Keeper: g.db, Key: g.signer, Retention: retention, Rule: fmt.Sprintf("audit.retention: %v", retention),
		Removed: g.recordRetention, Log: g.log, Metrics: g.metrics,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	g.life.onStop("maintenance", func(bounded context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-bounded.Done():
			return fmt.Errorf("wait for maintenance: %w", bounded.Err())
		}
	})
	return nil
}

// recordRetention leaves an event of what was removed. Without room for it the mark beside the trail says the same.
func (g *gateway) recordRetention(mark store.RetentionMark, what store.Removed) {
	ticket, err := g.spool.Reserve(nil)
	if err != nil {
		g.log.Error("what retention has removed cannot be recorded", zap.Error(err))
		return
	}
	now := time.Now().UTC()
	var d audit.Details
	d.Text("before", mark.Cutoff.Format(time.RFC3339))
	d.Number("events", what.Rows)
	d.Number("chunks", int64(what.Chunks))
	ticket.Record(&audit.Event{
		ID: audit.NewID(now), Time: now, ClassUID: 6003, EventType: RetentionEvent, Severity: audit.SeverityMedium,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeAllowed, Success: true, Rule: mark.Rule, Reason: "events were removed for their age",
		PrincipalType: "system", ResourceType: "audit", Details: d.Append(nil),
	})
}
