package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/internal/app"
	"sark/internal/testkit"
	"sark/store"
)

// TestOnPostgres runs a gateway whose registry, keys and trail are in PostgreSQL, ends it, and looks into the database.
func TestOnPostgres(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	url := testkit.Postgres(t)
	file := configure(t, dataDir(t), upstream.URL()+"/mcp",
		"authn: {anonymous: {allow: true, roles: [admin]}}", "store: {url: \""+url+"\"}")
	g := start(t, file)

	first := listTools(t, g.Proxy)
	g.stop(t)

	db, err := app.OpenDatabase(t.Context(), &load(t, file).Config, zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	page, err := db.Events(t.Context(), store.EventFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got [][3]string
	for _, e := range page.Items {
		got = append(got, [3]string{e.Method, e.Decision, string(e.Outcome)})
	}
	if diff := cmp.Diff([][3]string{{"tools/list", "allow", "allowed"}}, got); diff != "" || first[0] != "200 OK" {
		t.Errorf("reply %v, trail (-want +got):\n%s", first, diff)
	}
}
