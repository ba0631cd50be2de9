package postgres_test

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/indexes"
	"sark/store/postgres"
	"sark/store/storetest"
)

// readAll are the statements that may read a whole table, by a part of theirs that no other has, and why.
func readAll() map[string]string {
	list := map[string]string{
		"FROM api_keys ORDER BY created_at":  "lists every key, of which there are few",
		"SELECT count(*) FROM mcp_servers":   "counts every server, for who asks for the total",
		"FROM pg_attribute JOIN pg_type":     "asks the catalog",
		"FROM audit_rollup_dirty":            "holds what has changed in the last minute",
		"FROM mcp_servers WHERE tags ?":      "reads the list in its order, and all of it for rare tags: tags have no index",
		"FROM mcp_servers WHERE teams ?":     "reads the list in its order, and all of it for a rare team: teams have no index",
		"FROM mcp_servers WHERE (name ILIKE": "reads the list in its order, and all of it for rare texts: any part may match",
		"current_setting('server_encoding')": "asks no table",
		"max(seq) AS seq, count(*) AS n":     "looks at every event of a day once, before that day is dropped",
	}
	for _, first := range []string{"GROUP", "WHERE server_", "WHERE tool_", "WHERE hour < $1 GROUP"} {
		list["FROM audit_rollups "+first] = "counts from the beginning: whoever does not want that says from when, as the API always does"
	}
	for _, column := range []string{"action_operation", "rule", "phase", "session_id", "trace_id", "ip_address"} {
		list["FROM audit_events WHERE "+column+" "] = "reads back in time until the page is full: without an index, it is to be asked with a time"
	}
	return list
}

// filters are the questions that operators ask of the trail, each with the index that answers it.
func filters() map[string]struct {
	index string
	store.EventFilter
} {
	type question = struct {
		index string
		store.EventFilter
	}
	at, event := storetest.Epoch.Add(9000*time.Second), storetest.Event(17*7)
	cursor := store.Cursor{Time: at, ID: event.ID}.Encode("events")
	return map[string]question{
		"newest":         {"time_id", store.EventFilter{}},
		"page":           {"time_id", store.EventFilter{Cursor: cursor}},
		"user":           {"user_time", store.EventFilter{UserID: "user-1", To: at}},
		"server":         {"server_name_time", store.EventFilter{Server: "server-2", To: at}},
		"server by id":   {"server_time", store.EventFilter{Server: uuid.NewString(), To: at}},
		"tool":           {"tool_time", store.EventFilter{Tool: "tool-4", To: at}},
		"type":           {"type_time", store.EventFilter{EventType: "authorization_denied", To: at}},
		"time":           {"time_id", store.EventFilter{From: at, To: at.Add(time.Minute)}},
		"severe":         {"severity", store.EventFilter{Severity: []string{"high", "critical"}, To: at}},
		"action":         {"time_id", store.EventFilter{Action: "tool:invoke", From: at, To: at.Add(time.Hour)}},
		"rule":           {"time_id", store.EventFilter{Rule: "rbac.grant", From: at, To: at.Add(time.Hour)}},
		"phase":          {"time_id", store.EventFilter{Phase: "single", From: at, To: at.Add(time.Hour)}},
		"session":        {"time_id", store.EventFilter{SessionID: "5f1e", From: at, To: at.Add(time.Hour)}},
		"trace":          {"time_id", store.EventFilter{TraceID: event.TraceID, From: at, To: at.Add(time.Hour)}},
		"address":        {"time_id", store.EventFilter{IP: event.IP, From: at, To: at.Add(time.Hour)}},
		"denied":         {"time_id", store.EventFilter{Decision: "deny"}},
		"failed":         {"time_id", store.EventFilter{Outcome: string(audit.OutcomeDenied)}},
		"denied to user": {"", store.EventFilter{UserID: "user-1", Decision: "deny"}},
		"id":             {"", store.EventFilter{ID: event.ID}},
		"exchange":       {"time_id", store.EventFilter{ExchangeID: event.ExchangeID}},
		"decision":       {"time_id", store.EventFilter{DecisionID: event.DecisionID}},
	}
}

// serverFilters are the questions that operators ask of the registry.
func serverFilters() map[string]store.ServerFilter {
	id := uuid.New()
	return map[string]store.ServerFilter{
		"newest": {}, "oldest": {Ascending: true}, "status": {Status: []string{"active"}}, "sensitivity": {Sensitivity: []string{"critical"}},
		"status and sensitivity":     {Status: []string{"registered", "active"}, Sensitivity: []string{"high"}},
		"status and one sensitivity": {Status: []string{"active"}, Sensitivity: []string{"critical"}},
		"team":                       {TeamID: "team-7"}, "owner": {OwnerID: "owner-7"},
		"page":        {Cursor: store.Cursor{Time: storetest.Epoch, ID: id}.Encode("servers desc")},
		"users' team": {Team: "team-7"},
		"any tag":     {Tags: []string{"tag-1", "tag-2"}},
		"all tags":    {Tags: []string{"tag-1", "all"}, MatchAllTags: true},
		"search":      {Search: "server-1"},
	}
}

// rollupFilters are the counts that the API asks for, which always has a span.
func rollupFilters() map[string]store.RollupFilter {
	to := storetest.Epoch.AddDate(0, 0, 30)
	from := to.AddDate(0, 0, -7)
	return map[string]store.RollupFilter{
		"a week": {From: from, To: to}, "days": {From: from, To: to, Bucket: store.BucketDay},
		"server": {From: from, To: to, Server: "server-2"}, "server by id": {From: from, To: to, Server: uuid.NewString()},
		"tool": {From: from, To: to, Tool: "tool-4"},
	}
}

// notOfStatement are the fields of filters that select nothing.
func notOfStatement() []string { return []string{"Limit", "IncludeTotal"} }

// TestQuestionsCoverFilters fails when a filter gets a field that no question above has.
func TestQuestionsCoverFilters(t *testing.T) {
	covered := make(map[string]bool)
	cover := func(f any) {
		v := reflect.ValueOf(f)
		for i := range v.NumField() {
			name := fmt.Sprintf("%s.%s", v.Type().Name(), v.Type().Field(i).Name)
			covered[name] = covered[name] || !v.Field(i).IsZero()
		}
	}
	for _, q := range filters() {
		cover(q.EventFilter)
	}
	for _, f := range serverFilters() {
		cover(f)
	}
	for _, f := range rollupFilters() {
		cover(f)
	}
	for _, free := range notOfStatement() {
		delete(covered, "EventFilter."+free)
		delete(covered, "ServerFilter."+free)
	}
	for field, ok := range covered {
		if !ok {
			t.Errorf("no question asks with %s: add one to the plan test", field)
		}
	}
}

// TestPlans asks the planner about every statement that the conformance suite makes a store send, and every question above,
// on tables with enough rows that were analyzed: none reads a whole table. A statement that is new to the suite is asked
// about as well. A partitioned trail has two days without events, as those to come.
func TestPlans(t *testing.T) {
	w := &watch{seen: make(map[string][]any)}
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, postgres.Traced(postgres.Options{}, w))
	})
	if len(w.seen) < 20 {
		t.Fatalf("the suite sent %d statements", len(w.seen))
	}
	for name, reshape := range map[string]func(testing.TB, string){
		"plain":       storetest.Plain,
		"partitioned": func(t testing.TB, url string) { storetest.Partitioned(t, url, 6) },
	} {
		t.Run(name, func(t *testing.T) {
			conn := filled(t, reshape)
			p := planner{conn, partitionsWithoutEvents(t, conn)}
			for sql, args := range w.seen {
				if planned(sql) {
					p.check(t, sql, "", sql, args)
				}
			}
			for name, q := range filters() {
				q.Limit = 20
				sql, args, err := postgres.EventQuery(q.EventFilter)
				if err != nil {
					t.Fatal(err)
				}
				p.check(t, "events: "+name, q.index, sql, args)
			}
			id := storetest.Event(0).ID // of the writer
			p.check(t, "catching up", "writer_seq", postgres.SpanQuery(), []any{id, 9000, 9999})
			whole := p.explain(t, postgres.SpanQuery(), []any{id, 1, 20_000})
			if strings.Contains(whole, "Sort\n") {
				t.Errorf("to verify the trail sorts all of it:\n%s", whole)
			}
			for name, f := range rollupFilters() {
				sql, args := postgres.RollupQuery(f)
				p.check(t, "rollups: "+name, "rollups_pkey", sql, args)
			}
			for name, f := range serverFilters() {
				sql, args, err := postgres.ServerQuery(f)
				if err != nil {
					t.Fatal(err)
				}
				if planned(sql) {
					p.check(t, "servers: "+name, "", sql, args)
				}
			}
		})
	}
}

// TestOneValueIsComparedAsSuch asks for a list of one status as the planner can read it in the order of the index on status
// and time: of 10,000 active servers among a million it then reads a page, and not all to sort them.
func TestOneValueIsComparedAsSuch(t *testing.T) {
	for _, test := range []struct {
		status []string
		want   string
	}{{[]string{"active"}, "WHERE status = $1 "}, {[]string{"active", "inactive"}, "WHERE status = ANY ($1) "}} {
		sql, _, err := postgres.ServerQuery(store.ServerFilter{Status: test.status})
		if err != nil || !strings.Contains(sql, test.want) {
			t.Errorf("status %v: statement %q has no %q, error %v", test.status, sql, test.want, err)
		}
	}
}

// planned tells whether a statement has a plan, and is not one that is meant to read a whole table.
func planned(sql string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	for part := range readAll() {
		if strings.Contains(sql, part) {
			return false
		}
	}
	return verb == "SELECT" || verb == "UPDATE" || verb == "DELETE" || verb == "INSERT"
}

// seqScan finds the tables that a plan reads whole.
var seqScan = regexp.MustCompile(`Seq Scan on (\w+)`)

// planner asks for plans.
type planner struct {
	conn  *pgx.Conn
	empty []string // partitions without a row
}

// partitionsWithoutEvents lists those partitions of the trail: the days to come and the one of what is in no day.
func partitionsWithoutEvents(t *testing.T, conn *pgx.Conn) (empty []string) {
	t.Helper()
	for _, name := range rowsOf(t, conn, "SELECT name FROM sark_audit_partitions()") {
		if count := rowsOf(t, conn, "SELECT count(*)::text FROM "+name); count[0] == "0" {
			empty = append(empty, name)
		}
	}
	return empty
}

// mayRead tells whether a statement may read a table whole: it has no rows, it is PostgreSQL's own, or it is that of the
// writers, of whom there are few, for a statement that is about each of them.
func (p planner) mayRead(table, sql string) bool {
	return slices.Contains(p.empty, table) || strings.HasPrefix(table, "pg_") ||
		table == "audit_writer_offset" && strings.Contains(sql, "FROM audit_writer_offset w, LATERAL")
}

func (p planner) explain(t *testing.T, sql string, args []any) string {
	t.Helper()
	return strings.Join(rowsOf(t, p.conn, "EXPLAIN (COSTS OFF) "+sql, args...), "\n")
}

func (p planner) check(t *testing.T, name, index, sql string, args []any) {
	t.Helper()
	plan := p.explain(t, sql, args)
	for _, m := range seqScan.FindAllStringSubmatch(plan, -1) {
		if !p.mayRead(m[1], sql) {
			t.Errorf("%s reads all of %s:\n%s", name, m[1], plan)
		}
	}
	if index != "" && !strings.Contains(plan, "_"+index) {
		t.Errorf("%s does not use index %s:\n%s", name, index, plan)
	}
}

// filled is a connection to a database with enough rows in every table that an index is worth it. The trail gets its shape after
// the store was opened, which gives a trail without events the shape that suits the server.
func filled(t *testing.T, reshape func(testing.TB, string)) *pgx.Conn {
	t.Helper()
	url := testkit.Postgres(t)
	d := open(t, postgres.Options{URL: url})
	reshape(t, url)
	buildIndexes(t, url)
	const events = 20_000
	writer := storetest.Event(0).ID
	if err := d.AppendEvents(t.Context(), writer, 0, events, spread(writer, events)); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	for _, statement := range []string{
		manyServers(20_000, 100), manyTools,
		`INSERT INTO api_keys (id, hash, subject, created_at) SELECT 'key-' || n, '', 'ana', now() FROM generate_series(1, 5000) n`,
		`INSERT INTO registry_outbox (subject, subject_id, operation, created_at) SELECT 'server', n, 'create', now() FROM generate_series(1, 5000) n`,
		`INSERT INTO audit_writer_offset (writer_id, last_seq, updated_at) SELECT gen_random_uuid(), n, now() FROM generate_series(1, 5000) n`,
		`INSERT INTO audit_digests SELECT gen_random_uuid(), n, n, '', '', '', 'k', now() FROM generate_series(1, 5000) n`,
		`INSERT INTO audit_forwarded SELECT gen_random_uuid(), 'soc', n, now() FROM generate_series(1, 5000) n`,
		`INSERT INTO audit_retention SELECT timestamptz '2020-01-01' + n * interval '1 hour', '', now(), 'k', '' FROM generate_series(1, 5000) n`,
		`INSERT INTO decision_inputs (decision_id, "timestamp", input, allow, rule) SELECT gen_random_uuid(),
			timestamptz '2026-11-23 10:00' + n * interval '1 second', '{}', true, 'rbac.grant' FROM generate_series(1, 5000) n`,
		`INSERT INTO audit_rollups SELECT timestamptz '2026-11-01' + n * interval '1 hour', 'server-' || n % 40, 'server-' || n % 40,
			'tool-' || n % 60, 'allow', 'allowed', 1, 1, 1, 1, 1 FROM generate_series(1, 10000) n`,
		"ANALYZE",
	} {
		do(t, conn, statement)
	}
	return conn
}

func buildIndexes(t testing.TB, url string) {
	t.Helper()
	p, err := indexes.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // the steps say whether it worked
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if err := p.Run(context.WithoutCancel(t.Context()), s, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
}

// spread returns n sealed events of 50 users, 40 servers and 60 tools, 17 seconds apart: 20,000 of them fill four days.
func spread(writer uuid.UUID, n int) [][]byte {
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	tuples := make([][]byte, n)
	for i := range tuples {
		e := storetest.Event(17 * i)
		e.UserID, e.ToolName, e.ServerName = fmt.Sprintf("user-%d", i%50), fmt.Sprintf("tool-%d", i%60), fmt.Sprintf("server-%d", i%40)
		e.ServerID = e.ServerName
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	return tuples
}

// manyServers registers n servers, of which one in active is active, a tenth critical, in 200 teams.
func manyServers(n, active int) string {
	return fmt.Sprintf(`INSERT INTO mcp_servers (id, name, transport, endpoint, status, sensitivity_level, owner_id, team_id, tags, created_at, updated_at)
		SELECT gen_random_uuid(), 'server-' || n, 'http', 'http://127.0.0.1:9000/mcp',
			CASE WHEN n %% %d = 0 THEN 'active' ELSE 'registered' END,
			CASE WHEN n %% 10 = 0 THEN 'critical' WHEN n %% 10 < 4 THEN 'high' ELSE 'low' END,
			'owner-' || n %% 500, 'team-' || n %% 200, jsonb_build_array('all', 'tag-' || n %% 50),
			timestamptz '2026-11-23' + n * interval '1 second', now() FROM generate_series(1, %d) n`, active, n)
}

// manyTools gives every server a tool.
const manyTools = `INSERT INTO mcp_tools (id, server_id, position, name, created_at, updated_at)
	SELECT gen_random_uuid(), id, 0, 'one', now(), now() FROM mcp_servers`
