package crash_test

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"sark/store"
	"sark/store/postgres"
	"sark/store/spool"
)

// auditor compares the trail with the ledger.
type auditor struct {
	url, dataDir, spoolDir string
	ledger                 *ledger
	db                     *sql.DB
	seen                   int64            // the trail was read up to this number
	outcomes               map[string]int64 // of all events, for the report
	faults                 []string
}

func newAuditor(t *testing.T, l *ledger, url, dataDir, spoolDir string) *auditor {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(-1) // the server is restarted between two checks
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &auditor{url: url, dataDir: dataDir, spoolDir: spoolDir, ledger: l, db: db, outcomes: map[string]int64{}}
}

func (a *auditor) fault(format string, values ...any) {
	if len(a.faults) < 20 {
		a.faults = append(a.faults, fmt.Sprintf(format, values...))
	}
}

// check reads what is new in a trail to which everything was shipped, and says what is wrong with it. whole also reads all of
// the trail again.
func (a *auditor) check(ctx context.Context, whole bool) ([]string, error) {
	a.faults = nil
	found, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	a.compare(found)
	if err := a.count(ctx); err != nil {
		return nil, err
	}
	dead, err := filepath.Glob(filepath.Join(a.spoolDir, "dead", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range dead {
		a.fault("an event was set aside: %s", path)
	}
	if whole {
		err = a.verify(ctx)
	}
	return a.faults, err
}

// read returns the outcomes of the new events of calls, by decision.
func (a *auditor) read(ctx context.Context) (map[string][]string, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT seq, coalesce(decision_id::text, ''), outcome, event_type FROM audit_events
		WHERE seq > $1 ORDER BY seq`, a.seen)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	found := map[string][]string{}
	for rows.Next() {
		var id, outcome, kind string
		if err := rows.Scan(&a.seen, &id, &outcome, &kind); err != nil {
			return nil, err
		}
		if kind == spool.GapEvent || kind == spool.SuppressedEvent {
			outcome = kind
		}
		a.outcomes[outcome]++
		if id != "" {
			found[id] = append(found[id], outcome)
		}
	}
	return found, rows.Err()
}

// compare looks for exactly one outcome of every call that reached the server, and of every acknowledged one. What was found
// is forgotten; that nothing of it comes twice later is what verify looks for.
func (a *auditor) compare(found map[string][]string) {
	l := a.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.reached {
		if len(found[id]) != 1 {
			a.fault("call %s reached the server and has the outcomes %q", id, found[id])
		}
		if n != 1 {
			a.fault("call %s reached the server %d times", id, n)
		}
	}
	for id := range l.acked {
		if o := found[id]; len(o) != 1 || o[0] != "allowed" {
			a.fault("call %s was acknowledged and has the outcomes %q", id, o)
		}
		if l.reached[id] == 0 {
			a.fault("call %s was acknowledged and never reached the server", id)
		}
	}
	for id, o := range found {
		if len(o) != 1 {
			a.fault("decision %s has the outcomes %q", id, o)
		}
	}
	l.reached, l.acked = map[string]int{}, map[string]bool{}
}

// count looks whether the trail has every number up to the offset, once.
func (a *auditor) count(ctx context.Context) error {
	var rows, numbers, last, offset int64
	err := a.db.QueryRowContext(ctx, `SELECT count(*), count(DISTINCT seq), max(seq), (SELECT max(last_seq) FROM audit_writer_offset)
		FROM audit_events`).Scan(&rows, &numbers, &last, &offset)
	if err != nil {
		return err
	}
	if rows != numbers || rows != last || rows != offset {
		a.fault("%d events have %d numbers up to %d, and the offset is %d", rows, numbers, last, offset)
	}
	return nil
}

// verify reads the whole trail: hashes, signatures, and that no exchange is there twice.
func (a *auditor) verify(ctx context.Context) error {
	var twice int64
	err := a.db.QueryRowContext(ctx, `SELECT count(exchange_id) - count(DISTINCT exchange_id) FROM audit_events`).Scan(&twice)
	if err != nil {
		return err
	}
	if twice != 0 {
		a.fault("%d exchanges are there twice", twice)
	}
	key, err := store.ReadDigestKey(digestKey(a.dataDir))
	if err != nil {
		return err
	}
	trail, err := postgres.OpenTrail(ctx, a.url)
	if err != nil {
		return err
	}
	defer trail.Close() //nolint:errcheck // only read from
	_, err = store.Verify(ctx, trail, store.VerifyOptions{
		Keys: []ed25519.PublicKey{key.Public()}, Found: func(f store.Finding) {
			if !f.Recorded() {
				a.fault("verify: %s %d-%d: %s", f.Kind, f.First, f.Last, f.Detail)
			}
		},
	})
	return err
}

// digestKey is where a gateway keeps the key that signs its trail.
func digestKey(dataDir string) string { return filepath.Join(dataDir, "audit-digest.key") }
