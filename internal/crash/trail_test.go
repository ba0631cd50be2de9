package crash_test

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	"sark/store"
	"sark/store/postgres"
	"sark/store/spool"
)

// trace is what the trail holds of one decision or exchange.
type trace struct {
	ends, opens int
	outcomes    []string
}

// auditTrail holds the whole trail against what the MCP servers saw and the clients got. Every gateway has ended.
func (w *town) auditTrail(ctx context.Context) (report string, err error) {
	db, err := sql.Open("pgx", w.url)
	if err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // only read from
	rows, err := db.QueryContext(ctx, `SELECT coalesce(decision_id::text, ''), coalesce(exchange_id::text, ''), phase,
		coalesce(outcome, ''), event_type, coalesce(rule, ''), coalesce(details::text, '') FROM audit_events ORDER BY writer_id, seq`)
	if err != nil {
		return "", err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	decisions, exchanges, outcomes, gaps := map[string]*trace{}, map[string]*trace{}, map[string]int{}, []string{}
	for rows.Next() {
		var decision, exchange, phase, outcome, kind, rule, details string
		if err := rows.Scan(&decision, &exchange, &phase, &outcome, &kind, &rule, &details); err != nil {
			return "", err
		}
		if kind == spool.GapEvent || kind == spool.SuppressedEvent {
			outcomes[kind]++
			gaps = append(gaps, kind+" "+details)
			continue
		}
		outcomes[outcome]++
		enter(decisions, decision, phase, outcome+" "+rule)
		enter(exchanges, exchange, phase, outcome+" "+rule)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	w.compareTrail(decisions, exchanges)
	if err := w.verifyTrail(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("events: %v; gaps: %v", outcomes, gaps), nil
}

func enter(traces map[string]*trace, id, phase, outcome string) {
	if id == "" {
		return
	}
	t := traces[id]
	if t == nil {
		t = new(trace)
		traces[id] = t
	}
	if phase == "open" {
		t.opens++
		return
	}
	t.ends++
	t.outcomes = append(t.outcomes, outcome)
}

// compareTrail looks for one outcome of everything that reached a server or that a client was answered, and for none twice.
func (w *town) compareTrail(decisions, exchanges map[string]*trace) {
	j := w.judge
	for _, o := range []*origin{w.desk, w.old} {
		o.mu.Lock()
		for id, v := range o.visits {
			t := decisions[id]
			switch {
			case t == nil || t.ends != 1:
				j.fault("trail: %s of decision %s reached its server, and the trail has %+v", v.what, id, t)
			case strings.HasPrefix(t.outcomes[0], "denied") && !strings.HasPrefix(v.what, "GET") && !strings.Contains(t.outcomes[0], "session"):
				j.fault("trail: %s of decision %s reached its server, and the trail says %v", v.what, id, t.outcomes)
			}
			if v.times != 1 {
				j.fault("trail: %s of decision %s reached its server %d times", v.what, id, v.times)
			}
		}
		o.mu.Unlock()
	}
	for kind, heard := range map[string]map[string]heard{"decision": j.decisions, "exchange": j.exchanges} {
		traces := decisions
		if kind == "exchange" {
			traces = exchanges
		}
		for id, h := range heard {
			if t := traces[id]; (t == nil || t.ends != 1) && (!h.full || t != nil && t.ends > 1) {
				j.fault("trail: %s %s answered a client with %d to %q, and the trail has %+v", kind, id, h.status, h.what, t)
			}
		}
	}
	for id, t := range exchanges {
		if t.ends != 1 || t.opens > 1 {
			j.fault("trail: exchange %s has %+v", id, t)
		}
	}
}

// verifyTrail looks after the chains of both gateways, and for events that were set aside.
func (w *town) verifyTrail(ctx context.Context) error {
	trail, err := postgres.OpenTrail(ctx, w.url)
	if err != nil {
		return err
	}
	defer trail.Close() //nolint:errcheck // only read from
	var keys []ed25519.PublicKey
	for _, r := range w.replicas {
		key, err := store.ReadDigestKey(digestKey(filepath.Join(r.dir, "data")))
		if err != nil {
			return err
		}
		keys = append(keys, key.Public())
		dead, err := filepath.Glob(filepath.Join(r.spool, "dead", "*"))
		if err != nil {
			return err
		}
		for _, path := range dead {
			w.judge.fault("trail: an event was set aside: %s", path)
		}
	}
	_, err = store.Verify(ctx, trail, store.VerifyOptions{Keys: keys, Found: func(f store.Finding) {
		if !f.Recorded() {
			w.judge.fault("trail: verify: %s %d-%d: %s", f.Kind, f.First, f.Last, f.Detail)
		}
	}})
	return err
}
