package app_test

import (
	"crypto/ed25519"
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/app"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/sqlite"
)

// TestHeadAndKeysProveTheTrail takes keys and head from the API, and then cuts the end of the trail off without a trace.
func TestHeadAndKeysProveTheTrail(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	key := newKey(t, dir, "analyst")
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 1ms, batch_rows: 1}"))
	for range 3 {
		over(g.Proxy, key).post(t, "/mcp", toolCall("note"))
	}
	api := overSocket(g.Socket)
	api.awaitEvents(t, "tool=note", 3)
	var keys struct {
		Items []struct {
			PublicKey string `json:"public_key"`
		}
	}
	var heads struct {
		Stored, Recorded struct {
			Seq  int64
			Head string
		}
	}
	api.get(t, "/api/v1/audit/keys").decode(t, &keys)
	api.get(t, "/api/v1/audit/head").decode(t, &heads)
	g.stop(t)
	if len(keys.Items) != 1 || heads.Stored.Seq < 3 || heads.Recorded.Seq < heads.Stored.Seq {
		t.Fatalf("keys %+v, heads %+v", keys, heads)
	}
	public, err := store.ParsePublicKey(keys.Items[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	head, err := store.ParseHead(heads.Stored.Head)
	if err != nil {
		t.Fatal(err)
	}
	trusted := store.VerifyOptions{Keys: []ed25519.PublicKey{public}, Heads: []store.Head{head}}
	if got := kinds(t, dir, trusted); len(got) > 0 {
		t.Errorf("the whole trail has the findings %q", got)
	}
	cutTail(t, dir, 1)
	if got := kinds(t, dir, store.VerifyOptions{Keys: trusted.Keys}); len(got) > 0 {
		t.Errorf("without the head the findings are %q; the test cuts badly", got)
	}
	if diff := cmp.Diff([]store.FindingKind{store.FindingMissing}, kinds(t, dir, trusted)); diff != "" {
		t.Errorf("findings with the head (-want +got):\n%s", diff)
	}
}

// kinds verifies a trail and returns the kinds of what is found.
func kinds(t *testing.T, dir string, o store.VerifyOptions) (kinds []store.FindingKind) {
	t.Helper()
	trail, err := sqlite.OpenTrail(t.Context(), app.DatabasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	o.Found = func(f store.Finding) { kinds = append(kinds, f.Kind) }
	if _, err := store.Verify(t.Context(), trail, o); err != nil {
		t.Error(err)
	}
	if err := trail.Close(); err != nil {
		t.Error(err)
	}
	return kinds
}

// cutTail removes everything after an event, digests and offset too.
func cutTail(t *testing.T, dir string, after int64) {
	t.Helper()
	db, err := sql.Open("sqlite", app.DatabasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"DELETE FROM audit_events WHERE seq > ?", "DELETE FROM audit_digests WHERE first_seq > ?",
		"UPDATE audit_writer_offset SET last_seq = ?",
	} {
		if _, err := db.ExecContext(t.Context(), statement, after); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
