package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// registration is the body that registers a server.
func registration(name string) string {
	return fmt.Sprintf(`{"name":%q,"transport":"http","endpoint":"https://%s.example/mcp","tools":[{"name":"look","sensitivity_level":"low"}],"teams":["blue"]}`, name, name)
}

// TestManagementAPI walks through the API as an administrator with a key does, and as the local administrator does through
// the unix socket.
func TestManagementAPI(t *testing.T) {
	for _, way := range []string{"tcp", "socket"} {
		t.Run(way, func(t *testing.T) {
			dir := dataDir(t)
			g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"))
			admin := overSocket(g.Socket)
			if way == "tcp" {
				admin = over(g.API, newKey(t, dir, "admin"))
			}
			t.Run("registry", func(t *testing.T) { checkRegistry(t, admin) })
			t.Run("evaluation", func(t *testing.T) { checkEvaluation(t, admin) })
			t.Run("health", func(t *testing.T) { checkHealthDetails(t, admin) })
		})
	}
}

// served is what a reply of the registry says, as far as tests compare it.
type served struct {
	Status int
	Cache  string
	Names  []string
}

func checkRegistry(t *testing.T, admin caller) {
	t.Helper()
	list := func() served {
		r := admin.get(t, "/api/v1/servers/")
		var page struct{ Items []struct{ Name string } }
		r.decode(t, &page)
		s := served{Status: r.Status, Cache: r.Header.Get("X-Cache")}
		for _, item := range page.Items {
			s.Names = append(s.Names, item.Name)
		}
		return s
	}
	register := func(name string) reply { return admin.post(t, "/api/v1/servers/", registration(name)) }

	first := register("alpha")
	var made struct {
		ID     string `json:"server_id"`
		Status string `json:"status"`
	}
	first.decode(t, &made)
	got := []served{{Status: first.Status}, list(), list(), {Status: register("alpha").Status}, {Status: register("desk").Status}}
	got = append(got, served{Status: register("beta").Status}, list(), list())

	want := []served{
		{Status: 201},
		{200, "MISS", []string{"alpha"}},
		{200, "HIT", []string{"alpha"}},
		{Status: 409}, // registered
		{Status: 409}, // configured
		{Status: 201},
		{200, "MISS", []string{"beta", "alpha"}}, // the registration put the stored list out of force
		{200, "HIT", []string{"beta", "alpha"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}

	one := admin.get(t, "/api/v1/servers/"+made.ID)
	var detail struct {
		ID, Name, Status, Endpoint string
		Teams                      []string
	}
	one.decode(t, &detail)
	if diff := cmp.Diff([]any{200, made.ID, "alpha", "registered", "https://alpha.example/mcp", []string{"blue"}},
		[]any{one.Status, detail.ID, detail.Name, made.Status, detail.Endpoint, detail.Teams}); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if r := admin.get(t, "/api/v1/servers/00000000-0000-7000-8000-000000000000"); r.Status != http.StatusNotFound {
		t.Errorf("an unknown id gives %d %s, want 404", r.Status, r.Body)
	}
}

// verdict is the answer to a policy evaluation.
type verdict struct{ Decision, Reason string }

func checkEvaluation(t *testing.T, admin caller) {
	t.Helper()
	const question = `{"user_id":"eve","roles":["analyst"],"action":"tool:invoke","tool":"pay","server_id":"desk","parameters":{"amount":%d}}`
	ask := func(amount int) verdict {
		var v verdict
		admin.post(t, "/api/v1/policy/evaluate", fmt.Sprintf(question, amount)).decode(t, &v)
		return v
	}
	want := []verdict{
		{"allow", "analysts may use what is of low or medium sensitivity"},
		{"deny", "the amount must be a number, at most 100"},
	}
	if diff := cmp.Diff(want, []verdict{ask(50), ask(500)}); diff != "" {
		t.Errorf("verdicts on 50 and 500 (-want +got):\n%s", diff)
	}
}

func checkHealthDetails(t *testing.T, admin caller) {
	t.Helper()
	r := admin.get(t, "/health/detailed")
	var got struct {
		Status, Version string
		Dependencies    map[string]struct{ Healthy, Critical bool }
	}
	r.decode(t, &got)
	type part = struct{ Healthy, Critical bool }
	want := map[string]part{
		"store": {true, false}, "audit": {true, true}, "policy": {true, true}, "authentication": {true, false},
		"certificates": {true, false}, "configuration": {true, false}, "servers": {true, false},
	}
	if diff := cmp.Diff(want, got.Dependencies); diff != "" || r.Status != 200 || got.Status != "healthy" || got.Version != "1.2.3" {
		t.Errorf("%d %s %s (-want +got):\n%s", r.Status, got.Status, got.Version, diff)
	}
}

// TestHealthNeedsNoCredential asks every listener for the health words, and the API for what only principals may see.
func TestHealthNeedsNoCredential(t *testing.T) {
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"))
	words := []string{`200 {"status":"healthy"}`, `200 {"status":"alive"}`, `200 {"status":"ready"}`, `200 {"status":"started"}`}
	for name, address := range map[string]string{"api": g.API, "admin": g.Admin} {
		var got []string
		for _, path := range []string{"/health/", "/health/live", "/health/ready", "/health/startup"} {
			r := over(address, "").get(t, path)
			got = append(got, fmt.Sprintf("%d %s", r.Status, r.Body))
		}
		if diff := cmp.Diff(words, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	statuses := map[string]int{}
	for _, path := range []string{"/health/detailed", "/health/pools", "/api/v1/servers/", "/api/v1/audit/events", "/nowhere"} {
		statuses[path] = over(g.API, "").get(t, path).Status
	}
	want := map[string]int{"/health/detailed": 401, "/health/pools": 401, "/api/v1/servers/": 401, "/api/v1/audit/events": 401, "/nowhere": 404}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("statuses without a credential (-want +got):\n%s", diff)
	}
	if r := over(g.API, newKey(t, dir, "viewer")).get(t, "/health/detailed"); r.Status != 200 {
		t.Errorf("a viewer gets %d %s, want 200", r.Status, r.Body)
	}
	if r := over(g.Proxy, "").get(t, "/health/live"); r.Status != 404 {
		t.Errorf("the data plane answers %d to health probes, want 404", r.Status)
	}
}

// TestMetrics looks for metrics of every part on the admin listener.
func TestMetrics(t *testing.T) {
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"))
	over(g.Proxy, newKey(t, dir, "analyst")).post(t, "/mcp", toolCall("echo"))
	text := over(g.Admin, "").get(t, "/metrics").Body
	for _, want := range []string{
		`sark_build_info{`, "sark_authz_", "sark_store_query_duration_seconds", "sark_store_shipper_", "sark_proxy_",
		`listener="proxy"`, `listener="api"`, `listener="local"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
