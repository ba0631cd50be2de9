package api_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// namesOf returns the names of the servers on a page.
func namesOf(t *testing.T, r reply) []string {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if r.Code != 200 || !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	names := []string{}
	for _, item := range body["items"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	return names
}

func TestListShape(t *testing.T) {
	g := newGateway(t, nil)
	empty := g.get(t, "/api/v1/servers/?include_total=true")
	diff(t, "empty list", any(map[string]any{"items": []any{}, "next_cursor": nil, "has_more": false, "total": 0.0}), empty.Body)
	id := g.register(t, "crm", `,"sensitivity_level":"high"`)

	r := g.get(t, "/api/v1/servers")

	item := r.Body.(map[string]any)["items"].([]any)[0].(map[string]any)
	if s, _ := item["created_at"].(string); !strings.HasSuffix(s, "Z") {
		t.Errorf("created_at is %q", s)
	}
	delete(item, "created_at")
	diff(t, "list", any(map[string]any{
		"items": []any{map[string]any{
			"id": id, "name": "crm", "transport": "http", "status": "registered", "sensitivity_level": "high",
			"owner_id": "ada", "team_id": "finance", "teams": []any{"finance", "risk"}, "tags": []any{},
		}},
		"next_cursor": nil, "has_more": false, "total": nil,
	}), r.Body)
	got := []string{r.Header.Get("Content-Type"), r.Header.Get("X-Content-Type-Options")}
	diff(t, "headers", []string{"application/json", "nosniff"}, got)
}

func TestListFilters(t *testing.T) {
	g := newGateway(t, nil)
	g.register(t, "alpha", `,"sensitivity_level":"low","tags":["eu","crm"],"teams":["ops"],"team_id":"ops"`)
	g.register(t, "beta", `,"sensitivity_level":"high","tags":["eu"],"description":"100% of ALPHA"`)
	g.register(t, "gamma", `,"sensitivity_level":"critical"`)
	cases := []struct {
		query string
		want  []string
	}{
		{"", []string{"gamma", "beta", "alpha"}},
		{"?sort_order=asc", []string{"alpha", "beta", "gamma"}},
		{"?sort_order=desc", []string{"gamma", "beta", "alpha"}},
		{"?sensitivity=low,critical", []string{"gamma", "alpha"}},
		{"?status=registered", []string{"gamma", "beta", "alpha"}},
		{"?status=active,inactive", []string{}},
		{"?team_id=ops", []string{"alpha"}},
		{"?team=ops", []string{"alpha"}},
		{"?team=risk&cursor=", []string{"gamma", "beta"}},
		{"?owner_id=ada", []string{"gamma", "beta", "alpha"}},
		{"?owner_id=eve", []string{}},
		{"?tags=crm,eu", []string{"beta", "alpha"}},
		{"?tags=crm,eu&match_all_tags=true", []string{"alpha"}},
		{"?search=alpha", []string{"beta", "alpha"}},
		{"?search=100%25", []string{"beta"}},
		{"?search=_", []string{}},
		{"?limit=1", []string{"gamma"}},
	}

	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			diff(t, "names", c.want, namesOf(t, g.get(t, "/api/v1/servers/"+c.query)))
		})
	}
}

func TestListPages(t *testing.T) {
	g := newGateway(t, nil)
	var want []string
	for i := range 7 {
		name := "s" + strconv.Itoa(i)
		g.register(t, name, "")
		want = append(want, name)
	}

	var got []string
	query := url.Values{"limit": {"3"}, "sort_order": {"asc"}, "include_total": {"true"}}
	for pages := 1; ; pages++ {
		r := g.get(t, "/api/v1/servers/?"+query.Encode())
		body := r.Body.(map[string]any)
		got = append(got, namesOf(t, r)...)
		diff(t, "total", any(7.0), body["total"])
		if body["has_more"] == false {
			diff(t, "pages", 3, pages)
			diff(t, "last cursor", any(nil), body["next_cursor"])
			break
		}
		query.Set("cursor", body["next_cursor"].(string))
	}
	diff(t, "names", want, got)
}

func TestListRefusesBadParameters(t *testing.T) {
	cases := []struct{ query, parameter string }{
		{"statuz=active", "statuz"},
		{"limit=5&limit=6", "limit"},
		{"limit=0", "limit"},
		{"limit=201", "limit"},
		{"limit=-1", "limit"},
		{"limit=ten", "limit"},
		{"limit=", "limit"},
		{"cursor=%21%21", "cursor"},
		{"cursor=" + strings.Repeat("a", 2000), "cursor"},
		{"sort_order=up", "sort_order"},
		{"sort_order=ASC", "sort_order"},
		{"status=activ", "status"},
		{"status=active,,inactive", "status"},
		{"status=", "status"},
		{"sensitivity=severe", "sensitivity"},
		{"tags=a,", "tags"},
		{"match_all_tags=yes", "match_all_tags"},
		{"include_total=1", "include_total"},
		{"team_id=", "team_id"},
		{"owner_id=%00", "owner_id"},
		{"search=%ff", "search"},
		{"search=" + strings.Repeat("a", 256), "search"},
		{"=1", ""},
	}
	g := newGateway(t, nil)

	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			r := g.get(t, "/api/v1/servers/?"+c.query)
			body, _ := r.Body.(map[string]any)
			detail, _ := body["detail"].(string)
			if !strings.HasPrefix(detail, c.parameter+": ") {
				t.Errorf("detail %q does not name %q", detail, c.parameter)
			}
			diff(t, "reply", []any{400, g.problem("invalid_parameter", detail)}, []any{r.Code, r.Body})
		})
	}
}

func TestCursorOfAnotherListIsRefused(t *testing.T) {
	g := newGateway(t, nil)
	g.register(t, "a", "")
	g.register(t, "b", "")
	cursor := g.get(t, "/api/v1/servers/?limit=1").Body.(map[string]any)["next_cursor"].(string)

	for _, path := range []string{"/api/v1/audit/events?cursor=", "/api/v1/servers/?sort_order=asc&cursor="} {
		r := g.get(t, path+cursor)
		diff(t, path, []any{400, g.problem("invalid_parameter", "cursor: not a cursor of this list")}, []any{r.Code, r.Body})
	}
}

func TestGetServer(t *testing.T) {
	g := newGateway(t, nil)
	missing := g.get(t, "/api/v1/servers/01900000-0000-7000-8000-000000000009")
	diff(t, "missing", []any{404, g.problem("not_found", "Server not found")}, []any{missing.Code, missing.Body})

	for _, id := range []string{"crm", "{01900000-0000-7000-8000-000000000009}", "0190000000007000800000000000000a", "%2e%2e"} {
		r := g.get(t, "/api/v1/servers/"+id)
		diff(t, id, []any{422, g.problem("validation_error", []any{map[string]any{
			"loc": []any{"path", "server_id"}, "msg": "The id should be a UUID", "type": "uuid_parsing",
		}})}, []any{r.Code, r.Body})
	}

	id := g.register(t, "crm", "")
	unknown := g.get(t, "/api/v1/servers/"+id+"?verbose=1")
	diff(t, "parameter", 400, unknown.Code)
}
