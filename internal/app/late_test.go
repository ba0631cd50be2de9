package app_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/app"
	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/store"
)

// word is the answer of a health route.
func (c caller) word(t *testing.T, path string) string {
	t.Helper()
	var answer struct{ Status string }
	c.get(t, path).decode(t, &answer)
	return answer.Status
}

// awaitWord asks a health route until it answers a word.
func (c caller) awaitWord(t *testing.T, path, want string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(testkit.Patience)
	for c.word(t, path) != want {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s does not become %s", path, want)
		}
	}
}

// keyed makes an API key for a role, and the lines of configuration that know it.
func keyed(t *testing.T, role string) (key, lines string) {
	t.Helper()
	key, hash, err := authn.NewAPIKey(role)
	if err != nil {
		t.Fatal(err)
	}
	return key, `authn: {api_keys: [{id: ` + role + `, hash: "` + authn.FormatHash(hash) + `", subject: ` + role + `, roles: [` + role + `]}]}`
}

// TestStartWithoutDatabase starts a gateway while its PostgreSQL is down: callers of the configuration are governed and
// recorded, what needs the database is refused, and all is made good when the database, still without a schema, comes.
func TestStartWithoutDatabase(t *testing.T) {
	address := testkit.Postgres(t)
	admin, lines := keyed(t, "admin")
	stored, _, err := authn.NewAPIKey("stored")
	if err != nil {
		t.Fatal(err)
	}
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	file := configure(t, dataDir(t), upstream.URL()+"/mcp", lines, `store: {url: "`+address+`"}`, "audit: {batch_interval: 10ms}")
	startPostgres := testkit.StopPostgres(t)
	g := start(t, file)

	api := over(g.API, admin)
	got := map[string]int{
		"a call":             over(g.Proxy, admin).post(t, "/mcp", toolCall("note")).Status,
		"a key of the store": over(g.Proxy, stored).post(t, "/mcp", toolCall("note")).Status,
		"the registry":       api.get(t, "/api/v1/servers").Status,
		"the trail":          api.get(t, "/api/v1/audit/events").Status,
		"readiness":          over(g.Admin, "").get(t, "/health/ready").Status,
	}
	word := over(g.Admin, "").word(t, "/health/")
	startPostgres()
	want := map[string]int{"a call": 200, "a key of the store": 503, "the registry": 503, "the trail": 503, "readiness": 200}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses while the database is down (-want +got):\n%s", diff)
	}
	if word != "degraded" {
		t.Errorf("the health is %q, want degraded", word)
	}

	over(g.Admin, "").awaitWord(t, "/health/", "healthy")
	events := api.awaitEvents(t, "tool=note", 1)
	if diff := cmp.Diff([]string{"admin note allow allowed"}, brief(events)); diff != "" {
		t.Errorf("the trail (-want +got):\n%s", diff)
	}
	if s := over(g.Proxy, stored).post(t, "/mcp", toolCall("note")).Status; s != 401 {
		t.Errorf("a key that the store does not have: %d, want 401", s)
	}
}

// TestDatabaseWhoseSchemaIsBehind starts without a database that turns out to lack the schema, for a role that may not make
// it: nothing is written, and calls go on.
func TestDatabaseWhoseSchemaIsBehind(t *testing.T) {
	address := withoutRights(t, testkit.Postgres(t))
	admin, lines := keyed(t, "admin")
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	file := configure(t, dataDir(t), upstream.URL()+"/mcp", lines, `store: {url: "`+address+`"}`, "audit: {batch_interval: 10ms}")
	startPostgres := testkit.StopPostgres(t)
	g := start(t, file, "SARK_PROXY_DRAIN_TIMEOUT=100ms")
	down := over(g.Proxy, admin).post(t, "/mcp", toolCall("note")).Status
	startPostgres()

	g.awaitLog(t, "the database answers and cannot be used")
	got := []int{
		down, over(g.Proxy, admin).post(t, "/mcp", toolCall("note")).Status,
		over(g.API, admin).get(t, "/api/v1/audit/events").Status,
	}
	if diff := cmp.Diff([]int{200, 200, 503}, got); diff != "" {
		t.Errorf("a call before, a call after, the trail (-want +got):\n%s", diff)
	}
	if word := over(g.Admin, "").word(t, "/health/"); word != "degraded" {
		t.Errorf("the health is %q, want degraded", word)
	}
	g.cancel()
	if err := testkit.Wait(t, 0, g.ended); !app.Unfinished(err) || !strings.Contains(err.Error(), "flush audit events") {
		t.Errorf("the gateway ended with %v, want that events wait", err)
	}
	g.ended = nil
}

// TestWrongDatabaseEndsTheStart: a database that answers and cannot be used is no outage.
func TestWrongDatabaseEndsTheStart(t *testing.T) {
	address := withoutRights(t, testkit.Postgres(t))
	file := configure(t, dataDir(t), "http://127.0.0.1:1/mcp", `store: {url: "`+address+`"}`)
	err := app.Run(t.Context(), app.Options{Config: load(t, file)})
	if err == nil || app.Unfinished(err) || !strings.Contains(err.Error(), "store.url: ") || !strings.Contains(err.Error(), "migrate postgres") {
		t.Errorf("error %v, want that the schema cannot be made", err)
	}
}

// withoutRights makes a role that may connect to a database and nothing else, and returns the address with it.
func withoutRights(t *testing.T, address string) string {
	t.Helper()
	const role = "sark_test_nobody"
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	execute := func(statement string) {
		if _, err := db.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	execute("DROP ROLE IF EXISTS " + role)
	execute("CREATE ROLE " + role + " LOGIN PASSWORD 'nobody'")
	t.Cleanup(func() {
		execute("DROP ROLE " + role)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", role)
	q.Set("password", "nobody")
	u.RawQuery = q.Encode()
	return u.String()
}

// awaitLog waits for a line of the log.
func (g *gateway) awaitLog(t *testing.T, message string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(testkit.Patience)
	for g.logs.FilterMessage(message).Len() == 0 {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("the log does not say %q", message)
		}
	}
}

// TestDigestFileIsKept finds the digest of each batch in the file that audit.digest_file names.
func TestDigestFileIsKept(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	path := filepath.Join(t.TempDir(), "digests.ndjson")
	file := configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 10ms, digest_file: "+path+"}")
	key := newKey(t, dir, "analyst")
	for range 2 {
		g := start(t, file)
		over(g.Proxy, key).post(t, "/mcp", toolCall("note"))
		g.stop(t)
	}
	var last int64
	for _, d := range digests(t, path) {
		if d.First != last+1 {
			t.Errorf("a digest begins at %d, want %d", d.First, last+1)
		}
		last = d.Last
	}
	if events := stored(t, dir); int64(len(events)) != last || last != 2 {
		t.Errorf("digests account for %d events, %d are stored, want 2", last, len(events))
	}
}

// digests reads a digest file.
func digests(t *testing.T, path string) []store.Digest {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	var all []store.Digest
	for d, err := range store.ReadDigests(f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}
