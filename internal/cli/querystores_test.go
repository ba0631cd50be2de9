package cli_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// onEachStore runs a test on SQLite and on PostgreSQL. environ and dir lead commands to the database.
func onEachStore(t *testing.T, test func(t *testing.T, db store.Sink, dir string, environ []string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "sark.db"), Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		test(t, db, dir, nil)
	})
	t.Run("postgres", func(t *testing.T) {
		url := testkit.Postgres(t)
		db, err := postgres.Open(t.Context(), postgres.Options{URL: url, PoolSize: 2, AuditPoolSize: 1, Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		test(t, db, t.TempDir(), []string{"SARK_STORE_URL=" + url})
	})
}

// TestAuditQueryAllFilters asks by every filter for one of two events that differ in everything.
func TestAuditQueryAllFilters(t *testing.T) {
	onEachStore(t, func(t *testing.T, db store.Sink, dir string, environ []string) {
		now, writer := time.Now().Truncate(time.Microsecond), uuid.New()
		wanted, other := invoked(now.Add(-time.Hour), "ana", "refund_order", "deny", "no"), invoked(now.Add(-3*time.Hour), "ben", "watch", "allow", "")
		wanted.Severity, wanted.Rule, wanted.EventType, wanted.Action = audit.SeverityHigh, "rbac.analyst", "authorization_denied", "tool:list"
		wanted.SessionID, wanted.TraceID, wanted.IP = "5f1e", "4bf92f3577b34da6a3ce929d0e0e4736", netip.MustParseAddr("2001:db8::1")
		wanted.ServerName, wanted.ServerID, wanted.DecisionID, wanted.Phase = "till", uuid.NewString(), uuid.New(), audit.PhaseClose
		tuples := make([][]byte, 2)
		for i, e := range []*audit.Event{&other, &wanted} {
			e.WriterID, e.Seq = writer, int64(i)+1
			tuples[i] = audit.AppendTuple(nil, e)
		}
		if err := db.AppendEvents(t.Context(), writer, 0, 2, tuples); err != nil {
			t.Fatal(err)
		}
		query := func(flags ...string) result {
			return runWith(t, environ, "", append([]string{"audit", "query", "--output", "json", "--data-dir", dir}, flags...)...)
		}

		for _, flags := range []string{
			"--user ana", "--server till", "--server " + wanted.ServerID, "--tool refund_order", "--decision deny", "--outcome denied",
			"--type authorization_denied", "--severity high", "--severity medium,high,critical", "--action tool:list", "--rule rbac.analyst",
			"--phase close", "--id " + wanted.ID.String(), "--exchange " + wanted.ExchangeID.String(), "--decision-id " + wanted.DecisionID.String(),
			"--session 5f1e", "--trace " + wanted.TraceID, "--ip 2001:db8::1", "--since 2h", "--from 2h --to 1s",
			"--from " + wanted.Time.UTC().Format(time.RFC3339Nano),
		} {
			compare(t, result{0, "ana", ""}, named(t, query(strings.Fields(flags)...)))
		}
		compare(t, result{0, "ben", ""}, named(t, query("--until", "2h")))
		missing := uuid.NewString()
		compare(t, result{1, "", "sark: no event has the id " + missing + "\n"}, query("--id", missing))
		compare(t, result{2, "", "sark: --from should be before --to\n"}, query("--since", "1h", "--until", "2h"))
	})
}

// named puts the users of events in the place of the events.
func named(t *testing.T, r result) result {
	t.Helper()
	r.Out = users(t, r.Out)
	return r
}

// TestAuditQueryLines gives each event whole, as the API does.
func TestAuditQueryLines(t *testing.T) {
	onEachStore(t, func(t *testing.T, db store.Sink, dir string, environ []string) {
		e := storetest.Event(3)
		e.WriterID, e.Seq = uuid.New(), 1
		if err := db.AppendEvents(t.Context(), e.WriterID, 0, 1, [][]byte{audit.AppendTuple(nil, &e)}); err != nil {
			t.Fatal(err)
		}
		text, err := store.MarkedEvent{Event: e}.MarshalJSON() // the gateway has no receivers
		if err != nil {
			t.Fatal(err)
		}

		r := runWith(t, environ, "", "audit", "query", "--output", "json", "--data-dir", dir, "--id", e.ID.String())

		if r.Code != 0 || strings.Count(r.Out, "\n") != 1 {
			t.Fatalf("query: %+v", r)
		}
		if diff := cmp.Diff(members(t, string(text)), members(t, r.Out)); diff != "" {
			t.Errorf("members of the event (-want +got):\n%s", diff)
		}
	})
}

func members(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "hash") // that of the tuple as it was appended
	return m
}

// TestAuditQueryBehind tells what waits in the spool of a gateway whose database was away, until it has been stored.
func TestAuditQueryBehind(t *testing.T) {
	onEachStore(t, func(t *testing.T, db store.Sink, dir string, environ []string) {
		s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
		for n := range 3 {
			ticket, err := s.Reserve(nil)
			if err != nil {
				t.Fatal(err)
			}
			e := storetest.Event(n)
			ticket.Record(&e)
		}
		shipper, err := store.NewShipper(store.ShipperOptions{
			Source: s, Sink: db, DeadDir: filepath.Join(dir, "dead"), Log: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		query := func() result {
			return named(t, runWith(t, environ, "", "audit", "query", "--output", "json", "--data-dir", dir))
		}

		compare(t, result{0, "", "note: the trail is behind: 3 events in the spool are not in the database yet\n"}, query())
		if err := shipper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		compare(t, result{0, "user-2 user-1 user-0", ""}, query())
	})
}
