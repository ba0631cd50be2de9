package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/store"
	"sark/store/migrations"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// readAll are the statements that read a whole table and are meant to, by a part of theirs that no other has.
func readAll() map[string]string {
	list := map[string]string{
		"FROM api_keys ORDER BY created_at": "lists every key, of which there are few",
		"SELECT count(*) FROM mcp_servers":  "counts every server, for who asks for the total",
		"sum(bytes_out) FROM audit_rollups": "adds up hours, all of them for who gives no time",
		"FROM audit_rollup_dirty":           "holds what has changed in the last minute",
		"SELECT place FROM":                 "looks at the oldest digests of a writer, which are a table of their own to the planner",
		"FROM audit_writer_offset":          "lists the writers",
		"FROM registry_outbox":              "reads the oldest rows by their number, and no more than it is asked for",
	}
	for _, first := range []string{"GROUP", "WHERE server_", "WHERE tool_", "WHERE hour < ? GROUP"} {
		list["FROM audit_rollups "+first] = "counts from the beginning: whoever does not want that says from when, as the API always does"
	}
	return list
}

// questions are those that operators ask of the trail, each with the index that answers it.
func questions() map[string]store.EventFilter {
	at, event := storetest.Epoch.Add(9000*time.Second), storetest.Event(7)
	return map[string]store.EventFilter{
		"idx_audit_events_time_id":          {},
		"idx_audit_events_user_time":        {UserID: "user-1", To: at},
		"idx_audit_events_server_name_time": {Server: "server-2", To: at},
		"idx_audit_events_server_time":      {Server: event.ID.String(), To: at},
		"idx_audit_events_tool_time":        {Tool: "tool-4", To: at},
		"idx_audit_events_type_time":        {EventType: "server_registered", To: at},
		"idx_audit_events_time_id (":        {DecisionID: event.DecisionID},
	}
}

// TestPlans asks SQLite about every statement that the conformance suite makes a store send, and every question above, with
// and without the statistics of ANALYZE: none reads a whole table. A statement that is new to the suite is asked about as
// well.
func TestPlans(t *testing.T) {
	w := watching(t, "watched sqlite")
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, sqlite.By(sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db")}, "watched sqlite"))
	})
	if len(w.seen) < 20 {
		t.Fatalf("the suite sent %d statements", len(w.seen))
	}
	path := filepath.Join(t.TempDir(), "sark.db")
	fill(t, open(t, sqlite.Options{Path: path}))
	db, err := migrations.Open(migrations.SQLite, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, analyze := range []string{"PRAGMA analysis_limit = 1000", "ANALYZE"} {
		if _, err := db.ExecContext(t.Context(), analyze); err != nil {
			t.Fatal(err)
		}
		for query, args := range w.seen {
			if planned(query) {
				checkPlan(t, db, "", query, args)
			}
		}
		for index, f := range questions() {
			query, args, err := sqlite.EventQuery(f)
			if err != nil {
				t.Fatal(err)
			}
			if analyze == "ANALYZE" {
				index = "USING INDEX" // of a few types SQLite's statistics know only that each is common
			}
			checkPlan(t, db, index, query, args)
		}
		writer := storetest.Event(0).ID
		checkPlan(t, db, "USING INDEX idx_audit_events_writer_seq (writer_id=? AND seq>? AND seq<?)", sqlite.SpanQuery(), []any{writer[:], 1, 5000})
		query, args := sqlite.RollupQuery(store.RollupFilter{From: storetest.Epoch, To: storetest.Epoch.Add(time.Hour), Server: "server-2"})
		checkPlan(t, db, "SEARCH audit_rollups USING INDEX sqlite_autoindex_audit_rollups_1", query, args)
	}
}

// planned tells whether a statement has a plan, and is not one that is meant to read a whole table.
func planned(query string) bool {
	for part := range readAll() {
		if strings.Contains(query, part) {
			return false
		}
	}
	verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	return (verb == "SELECT" || verb == "UPDATE" || verb == "DELETE" || verb == "INSERT") && !strings.Contains(query, "sark_migrations") &&
		!strings.Contains(query, "sqlite_")
}

func checkPlan(t *testing.T, db *sql.DB, index, query string, args []any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
		if strings.HasPrefix(detail, "SCAN ") && !strings.Contains(detail, "INDEX") && !strings.Contains(detail, "VIRTUAL TABLE") &&
			detail != "SCAN CONSTANT ROW" {
			t.Errorf("%s reads a whole table: %s", query, detail)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, index) {
		t.Errorf("%s does not use index %s:\n%s", query, index, text)
	}
	if text := strings.Join(plan, "\n"); query == sqlite.SpanQuery() && strings.Contains(text, "TEMP B-TREE") {
		t.Errorf("to verify the trail sorts all of it:\n%s", text)
	}
}

// fill stores enough rows in the large tables that an index is worth it.
func fill(t *testing.T, d *sqlite.DB) {
	t.Helper()
	const events, servers = 5000, 500
	writer := storetest.Event(0).ID
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	tuples := make([][]byte, events)
	for i := range tuples {
		e := storetest.Event(i)
		e.UserID, e.ToolName, e.ServerName = fmt.Sprintf("user-%d", i%50), fmt.Sprintf("tool-%d", i%60), fmt.Sprintf("server-%d", i%40)
		e.ServerID = e.ServerName
		if i%50 == 0 {
			e.EventType = "server_registered"
		}
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	if err := d.AppendEvents(t.Context(), writer, 0, events, tuples); err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		s := store.Server{
			Name: fmt.Sprintf("server-%d", i), Transport: "http", Endpoint: "http://127.0.0.1:9000/mcp", TeamID: fmt.Sprintf("team-%d", i%20),
			OwnerID: fmt.Sprintf("owner-%d", i%30), Tools: []store.Tool{{Name: "one"}},
		}
		if err := d.CreateServers(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
	}
}
