package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// filters are the questions that operators ask of the trail, each selective enough for an index.
func filters() map[string]store.EventFilter {
	at := storetest.Epoch.Add(9000 * time.Second)
	return map[string]store.EventFilter{
		"newest": {}, "user": {UserID: "user-1", To: at}, "server": {Server: "server-2", To: at}, "tool": {Tool: "tool-4", To: at},
		"type": {EventType: "authorization_denied", To: at}, "severity": {Severity: []string{"critical"}, To: at}, "time": {From: at, To: at.Add(time.Minute)},
	}
}

// TestQueriesUseIndexes asks the planner about each question, on a trail that was analyzed, and sees that it neither reads
// the whole table nor sorts.
func TestQueriesUseIndexes(t *testing.T) {
	const rows = 20_000
	url := testkit.Postgres(t)
	d := open(t, postgres.Options{URL: url})
	writer := storetest.Event(0).ID
	if err := d.AppendEvents(t.Context(), writer, 0, rows, storetest.Sealed(writer, rows)); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	do(t, conn, "ANALYZE audit_events")
	asked := filters()
	event := storetest.Event(7)
	asked["id"] = store.EventFilter{ID: event.ID}
	asked["exchange"] = store.EventFilter{ExchangeID: event.ExchangeID}
	for name, f := range asked {
		f.Limit = 20
		query, args, err := postgres.EventQuery(f)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN (COSTS OFF) "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Index Scan") {
			t.Errorf("%s: plan\n%s", name, plan)
		}
	}
}
