package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sark/authz"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/endpoint"
	"sark/store/sqlite"
)

// gateway is the management API on a real socket, over a real store and a real policy engine. Its line is as short as can
// be: it takes the principal from the test and decides nothing before the handler.
type gateway struct {
	api       *api.API
	db        *sqlite.DB
	logs      *observer.ObservedLogs
	base      string
	client    *http.Client
	principal *authn.Principal
	exchange  uuid.UUID
	decision  uuid.UUID

	mu      sync.Mutex // guards what follows
	inputs  []authz.Input
	changed []string
	route   string // of the last call
	name    string // of the last call, after the handler
	details string // that the last call leaves in the trail
}

func analyst() *authn.Principal {
	return &authn.Principal{
		ID: "ada", Type: authn.TypeUser, Method: authn.MethodAPIKey, Roles: []string{"analyst"},
		Teams: []string{"finance", "risk"}, Scopes: []string{},
	}
}

func administrator() *authn.Principal {
	return &authn.Principal{
		ID: "root", Type: authn.TypeUser, Method: authn.MethodAPIKey, Roles: []string{"admin"}, Teams: []string{}, Scopes: []string{},
	}
}

// decider asks the real engine and remembers the questions.
type decider struct {
	engine *authz.Engine
	g      *gateway
}

func (d decider) Decide(ctx context.Context, in *authz.Input) authz.Decision {
	d.g.mu.Lock()
	d.g.inputs = append(d.g.inputs, *in)
	d.g.mu.Unlock()
	return d.engine.Decide(ctx, in)
}

// catalogue is a configuration with one server.
type catalogue struct{}

func (catalogue) Describe(server, tool string) (authz.Server, authz.Tool, bool) {
	if server != "desk" {
		return authz.Server{}, authz.Tool{}, false
	}
	return authz.Server{ID: "desk", Name: "desk", SensitivityLevel: "medium", Teams: []string{"finance"}},
		authz.Tool{Name: tool, SensitivityLevel: "medium", Known: tool == "find_customer"}, true
}

func (catalogue) Tools(server string) ([]authz.Tool, bool) {
	if server != "desk" {
		return nil, false
	}
	return []authz.Tool{{Name: "find_customer", SensitivityLevel: "medium", Known: true}, {Name: "wipe", SensitivityLevel: "critical", Known: true}}, true
}

// anywhere allows this host, too.
func anywhere() *endpoint.Networks {
	return endpoint.NewNetworks([]netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
	})
}

// newGateway starts a gateway; change may alter its options.
func newGateway(t *testing.T, change func(*api.Options)) *gateway {
	t.Helper()
	g := &gateway{
		principal: analyst(),
		exchange:  uuid.MustParse("01900000-0000-7000-8000-00000000000e"),
		decision:  uuid.MustParse("01900000-0000-7000-8000-00000000000d"),
	}
	core, logs := observer.New(zap.WarnLevel)
	g.logs = logs
	g.db = openStore(t)
	health, err := admin.NewHealth(admin.HealthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	health.MarkStarted()
	o := api.Options{
		Registry: g.db, Audit: g.db, Rollups: g.db, Decider: decider{openEngine(t), g}, Health: health, Catalogue: catalogue{},
		Networks: anywhere, Changed: g.change, Version: "1.2.3", Environment: "test", Log: zap.New(core),
	}
	if change != nil {
		change(&o)
	}
	if g.api, err = api.New(o); err != nil {
		t.Fatal(err)
	}
	g.serve(t)
	return g
}

func openStore(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db"), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return db
}

func openEngine(t *testing.T) *authz.Engine {
	t.Helper()
	engine, err := authz.Open(t.Context(), authz.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close(context.Background()) })
	return engine
}

// serve listens on a free port until the test ends.
func (g *gateway) serve(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: g.handle, NoDefaultServerHeader: true, MaxRequestBodySize: 8 << 20}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	transport := &http.Transport{}
	g.client, g.base = &http.Client{Transport: transport}, "http://"+l.Addr().String()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Shutdown(); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func (g *gateway) handle(ctx *fasthttp.RequestCtx) {
	path, _, _ := strings.Cut(string(ctx.Request.Header.RequestURI()), "?")
	call, status := g.api.Route(string(ctx.Method()), path, ctx.PostBody())
	if status != 0 {
		ctx.Response.Header.Set("Allow", g.api.Allow(path))
		ctx.SetStatusCode(status)
		return
	}
	caller := authn.Caller{ClientIP: netip.MustParseAddr("192.0.2.7")}
	if !g.api.Public(call.Route) {
		caller.Principal, caller.ExchangeID, caller.DecisionID = g.principal, g.exchange, g.decision
	}
	details := g.api.Serve(context.Background(), caller, &call, &ctx.Request, &ctx.Response)
	g.mu.Lock()
	g.details = string(details)
	g.route, g.name = call.Route, call.Name
	g.mu.Unlock()
}

func (g *gateway) change(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed = append(g.changed, id)
}

// reply is what a test compares of a response: its JSON decoded.
type reply struct {
	Code   int
	Header http.Header
	Body   any
}

// send makes a request; a body makes it JSON unless change says otherwise.
func (g *gateway) send(t *testing.T, method, path, body string, change func(*http.Request)) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, g.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(request)
	}
	response, err := g.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{Code: response.StatusCode, Header: response.Header}
	if len(raw) > 0 {
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&r.Body); err != nil {
			t.Fatalf("%s %s: body %q: %v", method, path, raw, err)
		}
	}
	return r
}

func (g *gateway) get(t *testing.T, path string) reply {
	t.Helper()
	return g.send(t, "GET", path, "", nil)
}

func (g *gateway) post(t *testing.T, path, body string) reply {
	t.Helper()
	return g.send(t, "POST", path, body, nil)
}

// register adds a server with the given further members of the body and returns its id.
func (g *gateway) register(t *testing.T, name, members string) string {
	t.Helper()
	body := `{"name":"` + name + `","transport":"http","endpoint":"http://127.0.0.1:9000/mcp","tools":[]` + members + `}`
	r := g.post(t, "/api/v1/servers/", body)
	if r.Code != 201 {
		t.Fatalf("register %s: %d %v", name, r.Code, r.Body)
	}
	return r.Body.(map[string]any)["server_id"].(string)
}

// record puts events into the trail as the shipper does.
func (g *gateway) record(t *testing.T, events ...audit.Event) {
	t.Helper()
	writer := uuid.MustParse("01900000-0000-7000-8000-000000000001")
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	var tuples [][]byte
	for i := range events {
		events[i].ID = audit.NewID(events[i].Time)
		tuple := audit.AppendTuple(nil, &events[i])
		chain.Seal(tuple)
		tuples = append(tuples, tuple)
	}
	if err := g.db.AppendEvents(t.Context(), writer, 0, int64(len(tuples)), tuples); err != nil {
		t.Fatal(err)
	}
}

// problem is the envelope of a refusal with the identifiers of the gateway's exchange.
func (g *gateway) problem(code string, detail any) any {
	return map[string]any{
		"detail": detail, "code": code, "request_id": g.exchange.String(), "decision_id": g.decision.String(),
	}
}

// diff fails the test when two values differ.
func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// at returns a time on the day of the tests' events.
func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-01T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}
