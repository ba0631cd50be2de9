package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"sark/authz"
	"sark/internal/api"
	"sark/internal/authn"
)

func developer() *authn.Principal {
	return &authn.Principal{ID: "dev", Type: authn.TypeUser, Method: authn.MethodAPIKey, Roles: []string{"developer"}}
}

// write sends a write with a JSON body.
func (g *gateway) write(t *testing.T, method, path, body string) reply {
	t.Helper()
	return g.send(t, method, path, body, nil)
}

// members picks members of a reply's object.
func members(t *testing.T, r reply, names ...string) []any {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	picked := []any{r.Code}
	for _, name := range names {
		picked = append(picked, body[name])
	}
	return picked
}

func TestPatch(t *testing.T) {
	g := newGateway(t, nil)
	id := g.register(t, "crm", `,"description":"old","tags":["eu"],"metadata":{"a":{"b":1,"c":2},"big":9007199254740993}`)
	path := "/api/v1/servers/" + id

	r := g.write(t, "PATCH", path, `{"description":null,"status":"active","metadata":{"a":{"b":null,"d":[1]}},"sensitivity_level":"high"}`)

	diff(t, "reply", []any{200, nil, "active", "high", []any{"eu"}, 2.0},
		members(t, r, "description", "status", "sensitivity_level", "tags", "revision"))
	diff(t, "ETag", `"2"`, r.Header.Get("ETag"))
	stored, err := g.db.Server(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "metadata", `{"a":{"c":2,"d":[1]},"big":9007199254740993}`, string(stored.Metadata))
	diff(t, "trail", `{"changed":["status","sensitivity_level","description","metadata"],`+
		`"from":{"sensitivity_level":"medium","status":"registered"},"revision":2,"to":{"sensitivity_level":"high","status":"active"}}`, g.details)
	diff(t, "changed", []string{id, id}, g.changed)

	again := g.write(t, "PATCH", path, `{"status":"active"}`)
	diff(t, "a patch that changes nothing", []any{200, 2.0}, members(t, again, "revision"))
	diff(t, "its trail", "", g.details)
}

func TestPatchIsConditional(t *testing.T) {
	g := newGateway(t, nil)
	path := "/api/v1/servers/" + g.register(t, "crm", "")
	patch := func(match, status string) int {
		return g.send(t, "PATCH", path, `{"status":"`+status+`"}`, func(r *http.Request) { r.Header.Set("If-Match", match) }).Code
	}
	got := []int{patch(`"1"`, "active"), patch(`"1"`, "inactive"), patch(`*`, "inactive"), patch(`1`, "active"), patch(`W/"3"`, "active"), patch(`"3"`, "active")}
	diff(t, "statuses", []int{200, 412, 200, 400, 400, 200}, got)
}

func TestPatchRefuses(t *testing.T) {
	g := newGateway(t, nil)
	g.register(t, "taken", "")
	path := "/api/v1/servers/" + g.register(t, "crm", "")
	for _, c := range []struct {
		body string
		want mistake
	}{
		{`{"statuz":"active"}`, mistake{"body.statuz", "extra_forbidden"}},
		{`{"teams":["a"]}`, mistake{"body.teams", "extra_forbidden"}},
		{`{"status":"decommissioned"}`, mistake{"body.status", "enum"}},
		{`{"status":"actve"}`, mistake{"body.status", "enum"}},
		{`{"status":null}`, mistake{"body.status", "string_type"}},
		{`{"name":null}`, mistake{"body.name", "missing"}},
		{`{"endpoint":"http://169.254.169.254/"}`, mistake{"body.endpoint", "url"}},
		{`{"transport":"stdio"}`, mistake{"body.command", "missing"}},
		{`{"metadata":[]}`, mistake{"body.metadata", "object_type"}},
		{`{"tags":"eu"}`, mistake{"body.tags", "list_type"}},
		{`{"name":"a","name":"b"}`, mistake{"body.name", "duplicate_key"}},
		{`[]`, mistake{"body", "object_type"}},
	} {
		got := mistakesOf(t, g.write(t, "PATCH", path, c.body))
		diff(t, c.body, c.want, got[0])
	}
	for _, name := range []string{"taken", "desk"} { // registered, configured
		r := g.write(t, "PATCH", path, `{"name":"`+name+`"}`)
		diff(t, name, []any{409, g.problem("name_taken", "A server with this name exists")}, []any{r.Code, r.Body})
	}
	missing := g.write(t, "PATCH", "/api/v1/servers/"+uuid.NewString(), `{}`)
	diff(t, "missing", 404, missing.Code)
	diff(t, "changes", 2, len(g.changed))
}

func TestDecommission(t *testing.T) {
	g := newGateway(t, nil)
	id := g.register(t, "crm", "")
	path := "/api/v1/servers/" + id

	first := g.write(t, "DELETE", path, "")
	told := g.details
	second := g.write(t, "DELETE", path, "")

	want := []any{200, id, "decommissioned"}
	diff(t, "first", want, members(t, first, "server_id", "status"))
	diff(t, "second", want, members(t, second, "server_id", "status"))
	diff(t, "trail", `{"changed":["status"],"from":{"status":"registered"},"revision":2,"to":{"status":"decommissioned"}}`, told)
	diff(t, "patch", []any{409, "decommissioned"}, members(t, g.write(t, "PATCH", path, `{"status":"active"}`), "code"))
	diff(t, "row", []any{200, "decommissioned"}, members(t, g.get(t, path), "status"))
	g.register(t, "crm", "") // the name is free
}

func TestTools(t *testing.T) {
	g := newGateway(t, func(o *api.Options) {
		o.Suggest = func(name, _ string, _ []byte) (string, []string) {
			if strings.HasPrefix(name, "drop") {
				return "high", []string{"drop"}
			}
			return "medium", nil
		}
	})
	path := "/api/v1/servers/" + g.register(t, "crm", "") + "/tools"
	g.write(t, "PUT", path, `{"tools":[{"name":"find"},{"name":"drop_all","sensitivity_level":"low"}]}`)
	before := toolsIn(t, g.get(t, path))
	g.write(t, "PUT", path, `{"tools":[{"name":"drop_all","sensitivity_level":"low"},{"name":"new"}]}`)
	rated := g.write(t, "PATCH", path, `{"tools":[{"name":"drop_all","sensitivity_level":"critical","requires_approval":true}]}`)

	diff(t, "trail", `{"changed":["tools.drop_all"],"from":{"tools.drop_all":{"requires_approval":false,"sensitivity_level":"low"}},`+
		`"revision":4,"to":{"tools.drop_all":{"requires_approval":true,"sensitivity_level":"critical"}}}`, g.details)
	after := toolsIn(t, rated)
	diff(t, "id", before[1]["id"], after[0]["id"])
	diff(t, "tool", []any{"critical", true, "high", []any{"drop"}}, []any{
		after[0]["sensitivity_level"], after[0]["requires_approval"], after[0]["suggested_sensitivity_level"], after[0]["suggested_by"],
	})
	unknown := g.write(t, "PATCH", path, `{"tools":[{"name":"find","sensitivity_level":"low"}]}`)
	diff(t, "unknown", []mistake{{"body.tools.0.name", "unknown"}}, mistakesOf(t, unknown))
	diff(t, "level", "enum", mistakesOf(t, g.write(t, "PATCH", path, `{"tools":[{"name":"new","sensitivity_level":"x"}]}`))[0].Kind)
	diff(t, "twice", "duplicate", mistakesOf(t, g.write(t, "PUT", path, `{"tools":[{"name":"a"},{"name":"a"}]}`))[0].Kind)
	diff(t, "none", "missing", mistakesOf(t, g.write(t, "PUT", path, `{}`))[0].Kind)
}

func toolsIn(t *testing.T, r reply) (list []map[string]any) {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if !ok || r.Code != 200 {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	for _, item := range body["items"].([]any) {
		list = append(list, item.(map[string]any))
	}
	return list
}

func TestTeamsAndOwner(t *testing.T) {
	g := newGateway(t, nil)
	path := "/api/v1/servers/" + g.register(t, "crm", "")
	teams := g.write(t, "PUT", path+"/teams", `{"teams":["red","blue"]}`)
	diff(t, "teams", []any{200, "red", []any{"red", "blue"}}, members(t, teams, "team_id", "teams"))
	owner := g.write(t, "PUT", path+"/owner", `{"owner_id":"eve"}`)
	diff(t, "owner", []any{200, "eve", 3.0}, members(t, owner, "owner_id", "revision"))
	diff(t, "trail", `{"changed":["owner_id"],"from":{"owner_id":"ada"},"revision":3,"to":{"owner_id":"eve"}}`, g.details)
	none := g.write(t, "PUT", path+"/teams", `{"teams":[]}`)
	diff(t, "no teams", []any{200, nil, []any{}}, members(t, none, "team_id", "teams"))
	diff(t, "missing", "missing", mistakesOf(t, g.write(t, "PUT", path+"/owner", `{"owner_id":""}`))[0].Kind)
	diff(t, "missing", "missing", mistakesOf(t, g.write(t, "PUT", path+"/teams", `{}`))[0].Kind)
}

// item is what a test compares of an outcome of a bulk call.
type item struct {
	Index int
	Code  string
}

func outcomes(t *testing.T, r reply) (done, failed []item) {
	t.Helper()
	body, ok := r.Body.(map[string]any)
	if !ok || r.Code != 200 {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	read := func(name string) (list []item) {
		for _, v := range body[name].([]any) {
			m := v.(map[string]any)
			code, _ := m["code"].(string)
			list = append(list, item{int(m["index"].(float64)), code})
		}
		return list
	}
	return read("succeeded_items"), read("failed_items")
}

func TestBulkRegister(t *testing.T) {
	const servers = `"servers":[
		{"name":"a","transport":"http","endpoint":"http://127.0.0.1/mcp","tools":[]},
		{"name":"b","transport":"http","endpoint":"http://127.0.0.1/mcp","tools":[],"sensitivity_level":"critical"},
		{"name":"a","transport":"http","endpoint":"http://127.0.0.1/mcp","tools":[]},
		{"name":"desk","transport":"http","endpoint":"http://127.0.0.1/mcp","tools":[]},
		{"name":"c d","transport":"http","tools":[]},
		{"name":"e","transport":"stdio","command":"mcp","tools":[]}]`
	g := newGateway(t, nil)
	g.principal = developer()

	done, failed := outcomes(t, g.post(t, "/api/v1/bulk/servers/register", `{`+servers+`,"fail_on_first_error":true}`))
	diff(t, "together, done", 0, len(done))
	diff(t, "together, failed", []item{{0, "abandoned"}, {1, "forbidden"}, {2, "abandoned"}, {3, "name_taken"}, {4, "validation_error"}, {5, "abandoned"}}, failed)
	diff(t, "changes", 0, len(g.changed))

	done, failed = outcomes(t, g.post(t, "/api/v1/bulk/servers/register", `{`+servers+`}`))
	diff(t, "each, done", []item{{0, ""}, {5, ""}}, done)
	diff(t, "each, failed", []item{{1, "forbidden"}, {2, "name_taken"}, {3, "name_taken"}, {4, "validation_error"}}, failed)
	if !strings.Contains(g.details, `{"name":"b","outcome":"forbidden","status":"registered"}`) {
		t.Errorf("the trail says %s", g.details)
	}

	diff(t, "names", []string{"e", "a"}, namesOf(t, g.get(t, "/api/v1/servers")))

	taken := `{"servers":[{"name":"z","transport":"stdio","command":"mcp","tools":[]},{"name":"a","transport":"stdio","command":"mcp","tools":[]}],"fail_on_first_error":true}`
	_, failed = outcomes(t, g.post(t, "/api/v1/bulk/servers/register", taken))
	diff(t, "taken in the store", []item{{0, "abandoned"}, {1, "name_taken"}}, failed)
	many := strings.Repeat(`{"name":"a","transport":"stdio","command":"a","tools":[]},`, 100) + `{"name":"a","transport":"stdio","command":"a","tools":[]}`
	diff(t, "101 items", "too_long", mistakesOf(t, g.post(t, "/api/v1/bulk/servers/register", `{"servers":[`+many+`]}`))[0].Kind)
	diff(t, "empty", "too_long", mistakesOf(t, g.post(t, "/api/v1/bulk/servers/register", `{"servers":[]}`))[0].Kind)
}

func TestBulkStatus(t *testing.T) {
	g := newGateway(t, nil)
	g.principal = developer()
	mine := g.register(t, "mine", "")
	g.principal = administrator()
	theirs := g.register(t, "theirs", "")
	g.principal = developer()
	updates := `"updates":[{"server_id":"` + theirs + `","status":"active"},{"server_id":"` + mine + `","status":"active"},
		{"server_id":"` + uuid.NewString() + `","status":"active"},{"server_id":"x","status":"active"},
		{"server_id":"` + mine + `","status":"decommissioned"}]`

	done, failed := outcomes(t, g.write(t, "PATCH", "/api/v1/bulk/servers/status", `{`+updates+`}`))

	diff(t, "done", []item{{1, ""}}, done)
	diff(t, "failed", []item{{0, "forbidden"}, {2, "not_found"}, {3, "validation_error"}, {4, "validation_error"}}, failed)
	g.principal = administrator()
	both := `{"fail_on_first_error":true,"updates":[{"server_id":"` + theirs + `","status":"inactive"},{"server_id":"` + mine + `","status":"inactive"}]}`
	done, _ = outcomes(t, g.write(t, "PATCH", "/api/v1/bulk/servers/status", both))
	diff(t, "together", []item{{0, ""}, {1, ""}}, done)
}

func TestDescribeKnowsRegisteredServers(t *testing.T) {
	g := newGateway(t, nil)
	id := g.register(t, "crm", `,"sensitivity_level":"high","teams":["red"]`)
	want := authz.Resource{Type: "server", ID: id, SensitivityLevel: "high", Teams: []string{"red"}, OwnerID: "ada"}
	raised := want
	raised.SensitivityLevel = "critical"
	for _, c := range []struct {
		method, path, body string
		want               authz.Resource
	}{
		{"GET", "", "", want},
		{"DELETE", "", "", want},
		{"PUT", "/owner", "{}", want},
		{"PATCH", "", `{"sensitivity_level":"low"}`, want},
		{"PATCH", "", `{"sensitivity_level":"critical","status":"active"}`, raised},
		{"PATCH", "", `{"sensitivity_level":"x"}`, want},
	} {
		call, _ := g.api.Route(c.method, "/api/v1/servers/"+id+c.path, []byte(c.body))
		got, err := g.api.Describe(t.Context(), analyst(), &call)
		if err != nil {
			t.Fatal(err)
		}
		diff(t, c.method+c.path+c.body, c.want, got)
	}
	unknown := uuid.NewString()
	call, _ := g.api.Route("GET", "/api/v1/servers/"+unknown, nil)
	got, err := g.api.Describe(t.Context(), analyst(), &call)
	diff(t, "unknown", []any{authz.Resource{Type: "server", ID: unknown}, nil}, []any{got, err})
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.api.Describe(t.Context(), analyst(), &call); err == nil {
		t.Error("without the registry there is an answer")
	}
}

func TestFindEvent(t *testing.T) {
	g, events := trail(t)
	for _, e := range events[:2] {
		r := g.get(t, "/api/v1/audit/events/"+e.ID.String())
		diff(t, "event", []any{200, e.ID.String(), e.EventType}, members(t, r, "id", "event_type"))
	}
	diff(t, "unknown", []any{404, "not_found"}, members(t, g.get(t, "/api/v1/audit/events/"+uuid.NewString()), "code"))
	diff(t, "no id", 422, g.get(t, "/api/v1/audit/events/x").Code)
}
