package app

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store/aside"
)

// AsideEvent is the event type of an event that says which files of what was set aside were removed.
const AsideEvent = "audit_aside_removed"

// openAside bounds what the spool, the shipper and the receivers set aside.
func (g *gateway) openAside(context.Context) error {
	dir := g.c.SpoolDir()
	b, err := aside.New(aside.Options{
		Folders: []aside.Folder{
			{Name: "dead", Dir: filepath.Join(dir, "dead")},
			{Name: "quarantine", Dir: filepath.Join(dir, "quarantine")},
			{Name: "refused", Dir: filepath.Join(dir, "siem", "refused")},
		},
		MaxBytes: int64(g.c.Audit.AsideMaxBytes), MaxAge: g.c.Audit.AsideMaxAge, Removed: g.recordAside, Log: g.log, Metrics: g.metrics,
	})
	if err != nil {
		return err
	}
	g.life.background("bounds of what is set aside", b.Run)
	return nil
}

// recordAside leaves an event of what was removed. Without room for it the log says the same.
func (g *gateway) recordAside(r aside.Removal) {
	ticket, err := g.spool.Reserve(nil)
	if err != nil {
		g.log.Error("what was removed cannot be recorded", zap.Error(err))
		return
	}
	now := time.Now().UTC()
	var d audit.Details
	d.Text("folder", r.Folder)
	d.Number("files", int64(r.Files))
	d.Number("bytes", r.Bytes)
	d.Text("first", r.First)
	d.Text("last", r.Last)
	ticket.Record(&audit.Event{
		ID: audit.NewID(now), Time: now, ClassUID: 6003, EventType: AsideEvent, Severity: audit.SeverityHigh,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeAllowed, Success: true, Rule: "audit.aside_max_bytes, audit.aside_max_age",
		Reason: "what was set aside was removed for its age or size", PrincipalType: "system", ResourceType: "audit", Details: d.Append(nil),
	})
}
