package postgres_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// scale is how many rows the benchmarks below have: SARK_BENCH_ROWS, which "make bench-store" sets to a million, else few
// enough for "make bench-micro".
func scale(b *testing.B) int {
	b.Helper()
	text := os.Getenv("SARK_BENCH_ROWS")
	if text == "" {
		return 50_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		b.Fatalf("SARK_BENCH_ROWS is %q, want a number from 1000 on", text)
	}
	return n
}

// seedIndexes are the nine that the reference system added for speed.
func seedIndexes() []string {
	return []string{
		"idx_mcp_servers_status", "idx_mcp_servers_sensitivity", "idx_mcp_servers_status_sensitivity", "idx_mcp_servers_created_at",
		"idx_mcp_servers_status_created", "idx_audit_events_user_time", "idx_audit_events_type_time", "idx_audit_events_server_time",
		"idx_audit_events_severity",
	}
}

// keysetIndexes are those that pages and names need on top.
func keysetIndexes() []string {
	return []string{
		"idx_mcp_servers_created_id", "idx_audit_events_time_id", "idx_audit_events_server_name_time", "idx_audit_events_tool_time",
		"idx_mcp_servers_owner", "idx_mcp_servers_team",
	}
}

// BenchmarkScale asks the questions of the seed's performance guide of many rows: filtered server lists and trails, with all
// indexes, without the seed's nine, and without any but the keys.
func BenchmarkScale(b *testing.B) {
	rows := scale(b)
	url := testkit.Postgres(b)
	d := open(b, postgres.Options{URL: url, PoolSize: 4})
	conn := connect(b, url)
	ids := fillScale(b, d, conn, rows)
	for _, stage := range []struct {
		name string
		drop []string
	}{{"all-indexes", nil}, {"without-the-nine", seedIndexes()}, {"without-any", keysetIndexes()}} {
		for _, index := range stage.drop {
			do(b, conn, "DROP INDEX "+index)
		}
		b.Run(stage.name, func(b *testing.B) { benchQuestions(b, d, ids) })
	}
}

// fillScale stores rows servers and rows events, analyzes, and returns ids of servers that events have.
func fillScale(b *testing.B, d *postgres.DB, conn *pgx.Conn, rows int) []string {
	b.Helper()
	do(b, conn, manyServers(rows, 100))
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	writer := storetest.Event(0).ID
	const batch = 5000
	for at := 0; at < rows; at += batch {
		n := min(batch, rows-at)
		tuples := make([][]byte, n)
		for i := range tuples {
			tuples[i] = scaleTuple(at+i, ids)
		}
		if err := d.AppendEvents(b.Context(), writer, int64(at), int64(at+n), tuples); err != nil {
			b.Fatal(err)
		}
	}
	do(b, conn, "ANALYZE")
	return ids
}

// benchQuestions measures each question, with a different value each time, and reports its 95th percentile.
func benchQuestions(b *testing.B, d *postgres.DB, ids []string) {
	at := storetest.Epoch.Add(6 * time.Hour)
	servers := func(f store.ServerFilter) func(int) error {
		return func(int) error { _, err := d.Servers(b.Context(), f); return err }
	}
	events := func(f func(i int) store.EventFilter) func(int) error {
		return func(i int) error { _, err := d.Events(b.Context(), f(i)); return err }
	}
	for _, q := range []struct {
		name string
		ask  func(i int) error
	}{
		{"servers/active-critical", servers(store.ServerFilter{Status: []string{"active"}, Sensitivity: []string{"critical"}})},
		{"servers/active-low", servers(store.ServerFilter{Status: []string{"active"}, Sensitivity: []string{"low"}})},
		{"servers/newest", servers(store.ServerFilter{})},
		{"trail/server", events(func(i int) store.EventFilter { return store.EventFilter{Server: ids[i%len(ids)], Limit: 100} })},
		{"trail/server-page", events(func(i int) store.EventFilter {
			return store.EventFilter{Server: ids[i%len(ids)], To: at, Limit: 100}
		})},
		{"trail/user", events(func(i int) store.EventFilter {
			return store.EventFilter{UserID: fmt.Sprintf("user-%d", i%2000), Limit: 100}
		})},
		{"trail/tool", events(func(i int) store.EventFilter {
			return store.EventFilter{Tool: fmt.Sprintf("tool-%d", i%1000), Limit: 100}
		})},
		{"trail/type", events(func(int) store.EventFilter {
			return store.EventFilter{EventType: "authorization_denied", Limit: 100}
		})},
		{"trail/newest", events(func(int) store.EventFilter { return store.EventFilter{Limit: 100} })},
	} {
		b.Run(q.name, func(b *testing.B) { measureEach(b, q.ask) })
	}
}

// measureEach runs work one after the other and reports the 95th percentile of its durations.
func measureEach(b *testing.B, work func(i int) error) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := work(i); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkOpenLoop registers servers at 1,000 a second, on schedule whether or not earlier ones have ended, while lists are
// read a hundred times a second. Durations are counted from when each was due.
func BenchmarkOpenLoop(b *testing.B) {
	url := testkit.Postgres(b)
	d := open(b, postgres.Options{URL: url, PoolSize: 20, MaxOverflow: 10})
	do(b, connect(b, url), manyServers(10_000, 100))
	do(b, connect(b, url), "ANALYZE")
	const seconds = 10
	for b.Loop() {
		var work sync.WaitGroup
		var register, list []time.Duration
		work.Go(func() {
			register = openLoop(b, 1000, 1000*seconds, func() error {
				s := store.Server{
					Name: "server-" + uuid.NewString(), Transport: "http", Endpoint: "http://127.0.0.1:9000/mcp",
					Tools: []store.Tool{{Name: "one"}, {Name: "two"}}, Tags: []string{"all"},
				}
				return d.CreateServers(b.Context(), &s)
			})
		})
		work.Go(func() {
			list = openLoop(b, 100, 100*seconds, func() error {
				_, err := d.Servers(b.Context(), store.ServerFilter{Status: []string{"registered"}})
				return err
			})
		})
		work.Wait()
		for name, took := range map[string][]time.Duration{"register": register, "list": list} {
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-p50-µs")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), name+"-p95-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), name+"-p99-µs")
		}
	}
}

// openLoop begins work n times, perSecond a second, and returns how long after its due time each has ended.
func openLoop(b *testing.B, perSecond, n int, work func() error) []time.Duration {
	took := make([]time.Duration, n)
	var running sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		running.Go(func() {
			if err := work(); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(due)
		})
	}
	running.Wait()
	return took
}

// scaleTuple is the n-th of many events: of 2,000 users, 1,000 tools and the servers with these ids. It is in no chain, which
// the database does not look at.
func scaleTuple(n int, ids []string) []byte {
	e := storetest.Event(n)
	e.UserID, e.ToolName = fmt.Sprintf("user-%d", n%2000), fmt.Sprintf("tool-%d", n%1000)
	e.ServerID = ids[n%len(ids)]
	e.WriterID, e.Seq = storetest.Event(0).ID, int64(n+1)
	return audit.AppendTuple(nil, &e)
}
