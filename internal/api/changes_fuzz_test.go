package api_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/authn"
	"sark/internal/mcp"
	"sark/store"
)

const shelfID = "01900000-0000-7000-8000-000000000001"

// Server returns the one server that the shelf has.
func (s *shelf) Server(context.Context, string) (store.Server, error) {
	return store.Server{
		ID: shelfID, Name: "crm", Transport: "http", Endpoint: "https://crm.example/mcp", Version: "2025-06-18", Status: "active",
		SensitivityLevel: "low", OwnerID: "ada", TeamID: "red", Teams: []string{"red"}, Tags: []string{"eu"}, Revision: 3,
		Metadata: json.RawMessage(`{"a":{"b":1}}`), Tools: []store.Tool{{Name: "find", SensitivityLevel: "low"}},
	}, nil
}

// UpdateServers keeps the server.
func (s *shelf) UpdateServers(_ context.Context, servers ...*store.Server) error {
	s.last = servers[0]
	return nil
}

// Servers checks that what comes out of a query is a filter that the store takes.
func (s *shelf) Servers(_ context.Context, f store.ServerFilter) (store.ServerPage, error) {
	if err := f.Validate(); err != nil {
		panic("a filter that no store takes: " + err.Error())
	}
	return store.ServerPage{}, nil
}

// Events checks the same.
func (s *shelf) Events(_ context.Context, f store.EventFilter) (store.EventPage, error) {
	if err := f.Validate(); err != nil {
		panic("a filter that no store takes: " + err.Error())
	}
	return store.EventPage{}, nil
}

func (s *shelf) Forwarded(context.Context, []uuid.UUID) (store.Forwarded, error) { return nil, nil }

// ask sends a request straight to the handler of a route.
func ask(f *testing.F, s *shelf) func(t *testing.T, route, method, query string, body []byte) int {
	f.Helper()
	health, err := admin.NewHealth(admin.HealthOptions{})
	if err != nil {
		f.Fatal(err)
	}
	a, err := api.New(api.Options{Registry: s, Audit: s, Rollups: s, Decider: &authz.Engine{}, Health: health})
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, route, method, query string, body []byte) int {
		t.Helper()
		var request fasthttp.Request
		var response fasthttp.Response
		request.Header.SetMethod(method)
		request.Header.SetContentType("application/json")
		request.URI().SetQueryString(query)
		request.SetBody(body)
		call := mcp.Call{Route: route, Name: shelfID}
		details := a.Serve(t.Context(), authn.Caller{Principal: analyst()}, &call, &request, &response)
		if !json.Valid(response.Body()) || (details != nil && !json.Valid(details)) {
			t.Errorf("the reply %q or the details %q are no JSON", response.Body(), details)
		}
		return response.StatusCode()
	}
}

// FuzzPatch sends any patch. It never panics; what it accepted keeps the rules of a registration, and who may do what stays
// as it was.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		`{"status":"inactive","description":null}`, `{"metadata":{"a":{"b":null,"c":[{}]}}}`, `{"metadata":null,"tags":[]}`,
		`{"transport":"stdio","endpoint":null,"command":"mcp"}`, `{"status":"decommissioned"}`, `{"teams":["blue"]}`, `{"a":1,"a":2}`,
		`{"metadata":{"\ud800":1}}`, `[]`, ``, `{"capabilities":["x","x"]}`, `{"version":"2025-11-25","name":"b"}`,
	} {
		f.Add([]byte(body))
	}
	registry := &shelf{}
	send := ask(f, registry)
	f.Fuzz(func(t *testing.T, body []byte) {
		registry.last = nil
		code := send(t, api.RouteServersUpdate, "PATCH", "", body)
		switch {
		case code == 422 && registry.last == nil, code == 200 && registry.last == nil: // wrong, or nothing changed
		case code == 200:
			s := registry.last
			checkServer(t, s)
			if s.ID != shelfID || s.OwnerID != "ada" || !slices.Equal(s.Teams, []string{"red"}) || len(s.Tools) != 1 {
				t.Errorf("a patch changed whose it is: %+v", s)
			}
			if s.Status == store.Decommissioned || !slices.Contains(store.Statuses(), s.Status) {
				t.Errorf("status %q", s.Status)
			}
		default:
			t.Errorf("status %d, stored %v", code, registry.last)
		}
	})
}

// FuzzQuery sends any query to both lists: the answer is a page, or a refusal that names a parameter.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"limit=5&cursor=", "status=active,inactive&sensitivity=high&team=red", "tags=a,b&match_all_tags=true&search=%25",
		"severity=high,critical&from=-15m&to=2026-11-01T00:00:00Z", "ip_address=::ffff:10.0.0.1&phase=open", "a=1&a=2", "=", "%00=%ff",
		"from=-9d&to=-10d", "id=01900000-0000-7000-8000-000000000001",
	} {
		f.Add(query)
	}
	send := ask(f, &shelf{})
	f.Fuzz(func(t *testing.T, query string) {
		for _, route := range []string{api.RouteServersList, api.RouteAuditEvents} {
			if code := send(t, route, "GET", query, nil); code != 200 && code != 400 {
				t.Errorf("%s: status %d", route, code)
			}
		}
	})
}
