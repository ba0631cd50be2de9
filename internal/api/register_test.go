package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"sark/internal/api"
	"sark/internal/endpoint"
)

const validTool = `{"name":"find","parameters":{"type":"object"},"sensitivity_level":"high","requires_approval":true}`

func TestRegister(t *testing.T) {
	g := newGateway(t, nil)

	created := g.post(t, "/api/v1/servers/", `{"name":"crm","transport":"http","endpoint":"https://crm.internal:8443/mcp?x=1",
		"description":"Customers\nand orders","capabilities":["tools"],"tags":["eu"],"metadata":{"cost":{"centre":7}},
		"tools":[`+validTool+`,{"name":"list","description":null}]}`)

	id := created.Body.(map[string]any)["server_id"].(string)
	diff(t, "status", 201, created.Code)
	diff(t, "body", any(map[string]any{"server_id": id, "status": "registered", "consul_id": nil}), created.Body)
	diff(t, "Location", "/api/v1/servers/"+id, created.Header.Get("Location"))
	diff(t, "changed", []string{id}, g.changed)
	diff(t, "name of the call", id, g.name)

	got := g.get(t, "/api/v1/servers/"+strings.ToUpper(id))
	body := got.Body.(map[string]any)
	for _, member := range []string{"created_at", "updated_at"} {
		if s, _ := body[member].(string); !strings.HasSuffix(s, "Z") {
			t.Errorf("%s is %q", member, s)
		}
		delete(body, member)
	}
	for _, tool := range body["tools"].([]any) {
		if _, err := uuid.Parse(tool.(map[string]any)["id"].(string)); err != nil {
			t.Errorf("tool id: %v", err)
		}
		delete(tool.(map[string]any), "id")
	}
	diff(t, "server", map[string]any{
		"id": id, "name": "crm", "description": "Customers\nand orders", "transport": "http",
		"endpoint": "https://crm.internal:8443/mcp?x=1", "command": nil, "version": "2025-06-18",
		"capabilities": []any{"tools"}, "status": "registered", "sensitivity_level": "medium", "owner_id": "ada",
		"team_id": "finance", "teams": []any{"finance", "risk"}, "tags": []any{"eu"},
		"metadata": map[string]any{"cost": map[string]any{"centre": 7.0}}, "revision": 1.0,
		"tools": []any{
			map[string]any{
				"name": "find", "description": nil, "parameters": map[string]any{"type": "object"},
				"sensitivity_level": "high", "requires_approval": true,
				"suggested_sensitivity_level": nil, "suggested_by": []any{},
			},
			map[string]any{
				"name": "list", "description": nil, "parameters": map[string]any{}, "sensitivity_level": "medium",
				"requires_approval": false, "suggested_sensitivity_level": nil, "suggested_by": []any{},
			},
		},
	}, body)
}

func TestRegisterStdioServerForAnotherTeam(t *testing.T) {
	g := newGateway(t, nil)

	created := g.post(t, "/api/v1/servers", `{"name":"local","transport":"stdio","command":"/bin/mcp --stdio",
		"version":"2025-11-25","sensitivity_level":"low","team_id":"ops","teams":["ops"],"tools":[]}`)

	id := created.Body.(map[string]any)["server_id"].(string)
	body := g.get(t, "/api/v1/servers/"+id).Body.(map[string]any)
	got := []any{body["command"], body["endpoint"], body["version"], body["sensitivity_level"], body["team_id"], body["teams"]}
	diff(t, "server", []any{"/bin/mcp --stdio", nil, "2025-11-25", "low", "ops", []any{"ops"}}, got)
}

func TestRegisterRefusesTakenNames(t *testing.T) {
	g := newGateway(t, nil)
	g.register(t, "crm", "")

	for _, name := range []string{"crm", "desk"} { // registered, configured
		r := g.post(t, "/api/v1/servers/", `{"name":"`+name+`","transport":"http","endpoint":"http://a/","tools":[]}`)
		diff(t, name, []any{409, g.problem("name_taken", "A server with this name exists")}, []any{r.Code, r.Body})
	}
	diff(t, "changes", 1, len(g.changed))
}

// mistake is one entry of a 422: where and of what type.
type mistake struct{ Loc, Kind string }

func mistakesOf(t *testing.T, r reply) []mistake {
	t.Helper()
	body, _ := r.Body.(map[string]any)
	list, ok := body["detail"].([]any)
	if r.Code != 422 || !ok {
		t.Fatalf("status %d, body %v", r.Code, r.Body)
	}
	diff(t, "code", any("validation_error"), body["code"])
	var out []mistake
	for _, entry := range list {
		fields := entry.(map[string]any)
		if fields["msg"] == "" {
			t.Errorf("no message in %v", fields)
		}
		var path []string
		for _, step := range fields["loc"].([]any) {
			switch step := step.(type) {
			case string:
				path = append(path, step)
			case float64:
				path = append(path, strconv.Itoa(int(step)))
			}
		}
		out = append(out, mistake{strings.Join(path, "."), fields["type"].(string)})
	}
	return out
}

func TestRegisterNamesEveryMistake(t *testing.T) {
	valid := map[string]string{
		"name": `"crm"`, "transport": `"http"`, "endpoint": `"http://a.example/mcp"`, "tools": `[]`,
	}
	// with returns the valid body with members replaced ("" removes one).
	with := func(pairs ...string) string {
		members := map[string]string{}
		for name, value := range valid {
			members[name] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			members[pairs[i]] = pairs[i+1]
		}
		var list []string
		for name, value := range members {
			if value != "" {
				list = append(list, `"`+name+`":`+value)
			}
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	long := func(n int) string { return `"` + strings.Repeat("é", n) + `"` }
	cases := []struct {
		name, body string
		want       []mistake
	}{
		{"empty", "{}", []mistake{{"body.name", "missing"}, {"body.transport", "missing"}, {"body.tools", "missing"}}},
		{"null name", with("name", "null"), []mistake{{"body.name", "missing"}}},
		{"empty name", with("name", `""`), []mistake{{"body.name", "string_pattern_mismatch"}}},
		{"name with slash", with("name", `"a/b"`), []mistake{{"body.name", "string_pattern_mismatch"}}},
		{"dots", with("name", `".."`), []mistake{{"body.name", "string_pattern_mismatch"}}},
		{"long name", with("name", `"`+strings.Repeat("a", 256)+`"`), []mistake{{"body.name", "string_too_long"}}},
		{"name of wrong type", with("name", "5"), []mistake{{"body.name", "string_type"}}},
		{"unknown transport", with("transport", `"ws"`), []mistake{{"body.transport", "enum"}}},
		{"http without endpoint", with("endpoint", ""), []mistake{{"body.endpoint", "missing"}}},
		{"http with command", with("command", `"mcp"`), []mistake{{"body.command", "extra_forbidden"}}},
		{"stdio without command", with("transport", `"stdio"`, "endpoint", ""), []mistake{{"body.command", "missing"}}},
		{
			"stdio with endpoint", with("transport", `"stdio"`, "command", `"mcp"`),
			[]mistake{{"body.endpoint", "extra_forbidden"}},
		},
		{
			"control character in command", with("transport", `"stdio"`, "endpoint", "", "command", `"mcp\u0000"`),
			[]mistake{{"body.command", "string_control"}},
		},
		{"long endpoint", with("endpoint", `"http://a/`+strings.Repeat("a", 500)+`"`), []mistake{{"body.endpoint", "string_too_long"}}},
		{"bad version", with("version", `"latest"`), []mistake{{"body.version", "date_parsing"}}},
		{"bad level", with("sensitivity_level", `"secret"`), []mistake{{"body.sensitivity_level", "enum"}}},
		{"long description", with("description", long(1001)), []mistake{{"body.description", "string_too_long"}}},
		{"description with escape codes", with("description", `"\u001b[31m"`), []mistake{{"body.description", "string_control"}}},
		{"signature", with("signature", `"MEUC"`), []mistake{{"body.signature", "signature_unverifiable"}}},
		{"metadata of wrong type", with("metadata", `[1]`), []mistake{{"body.metadata", "object_type"}}},
		{"long metadata", with("metadata", `{"a":"`+strings.Repeat("a", 64<<10)+`"}`), []mistake{{"body.metadata", "too_long"}}},
		{"capabilities of wrong type", with("capabilities", `"tools"`), []mistake{{"body.capabilities", "list_type"}}},
		{"empty and repeated tags", with("tags", `["a","","a"]`), []mistake{{"body.tags.1", "string_too_short"}, {"body.tags.2", "duplicate"}}},
		{"many teams", with("teams", `["`+strings.Repeat(`a","`, 64)+`a"]`), []mistake{{"body.teams", "too_long"}}},
		{"tool without name", with("tools", `[{}]`), []mistake{{"body.tools.0.name", "missing"}}},
		{"tool with blank name", with("tools", `[{"name":" "}]`), []mistake{{"body.tools.0.name", "string_too_short"}}},
		{"tools with one name", with("tools", `[{"name":"a"},{"name":"a"}]`), []mistake{{"body.tools.1.name", "duplicate"}}},
		{"tool of wrong type", with("tools", `[7]`), []mistake{{"body.tools.0", "object_type"}}},
		{"tool parameters of wrong type", with("tools", `[{"name":"a","parameters":"x"}]`), []mistake{{"body.tools.0.parameters", "object_type"}}},
		{"tool level", with("tools", `[{"name":"a","sensitivity_level":"Low"}]`), []mistake{{"body.tools.0.sensitivity_level", "enum"}}},
		{"tool signature", with("tools", `[{"name":"a","signature":"x"}]`), []mistake{{"body.tools.0.signature", "signature_unverifiable"}}},
		{"tool approval", with("tools", `[{"name":"a","requires_approval":"yes"}]`), []mistake{{"body.tools.0.requires_approval", "bool_type"}}},
		{"unknown tool field", with("tools", `[{"name":"a","risk":1}]`), []mistake{{"body.tools.0.risk", "extra_forbidden"}}},
		{"many tools", with("tools", "["+strings.Repeat("{},", 1000)+"{}]"), []mistake{{"body.tools", "too_long"}}},
		{"unknown field", with("owner_id", `"eve"`), []mistake{{"body.owner_id", "extra_forbidden"}}},
		{"field in other case", with("Name", `"b"`), []mistake{{"body.Name", "extra_forbidden"}}},
		{"duplicate key", `{"name":"a","name":"b"}`, []mistake{{"body.name", "duplicate_key"}}},
		{"duplicate key by escape", `{"name":"a","n\u0061me":"b"}`, []mistake{{"body.name", "duplicate_key"}}},
		{"duplicate key in metadata", with("metadata", `{"a":{"b":1,"b":2}}`), []mistake{{"body.metadata.a.b", "duplicate_key"}}},
		{"lone surrogate", with("description", `"\ud800"`), []mistake{{"body.description", "json_invalid"}}},
		{"bad UTF-8", with("description", "\"\xff\""), []mistake{{"body.description", "json_invalid"}}},
		{"deep", with("metadata", strings.Repeat(`{"a":`, 64)+"1"+strings.Repeat("}", 64)), []mistake{{"body", "json_too_deep"}}},
		{"array", `[]`, []mistake{{"body", "object_type"}}},
		{"cut short", `{"name":"a"`, []mistake{{"body", "json_invalid"}}},
		{"two documents", with() + "{}", []mistake{{"body", "json_invalid"}}},
	}
	g := newGateway(t, nil)

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			diff(t, "mistakes", c.want, mistakesOf(t, g.post(t, "/api/v1/servers/", c.body)))
		})
	}
	diff(t, "changes", 0, len(g.changed))
}

func TestRegisterRefusesForgedEndpoints(t *testing.T) {
	bad := []string{
		"ftp://a.example/", "//a.example/", "a.example", "http:a.example", "http:///mcp", "http://", "http://user:pw@a.example/",
		"http://a.example/#top", "http://a.example/#", "http://a.example:0/", "http://a.example:99999/", "http://a.example:/",
		"http://a..example/", "http://a b/", "http://a.example/\\x", "http://exämple.com/", "http://a%2eexample/",
		"http://169.254.169.254/latest/meta-data", "http://169.254.0.1/", "http://169.254.169.254./",
		"http://2852039166/", "http://0xa9fea9fe/", "http://0xa9.0xfe.0xa9.0xfe/", "http://0251.0376.0251.0376/", "http://169.254.43518/",
		"http://0.0.0.0/", "http://[::]/", "http://0/", "http://255.255.255.255/", "http://224.0.0.1/", "http://[ff02::1]/",
		"http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[::1%25lo]/",
		"http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:a9fe:a9fe::1]/",
		"http://[::169.254.169.254]/", "http://[fd00:ec2::254]/", "http://[fd20:ce::254]/",
		"http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/",
		"http://metadata.google.internal/", "http://METADATA.google.internal./", "http://metadata/", "http://instance-data/",
	}
	g := newGateway(t, nil)

	for _, endpoint := range bad {
		t.Run(endpoint, func(t *testing.T) {
			quoted := strconv.Quote(endpoint)
			r := g.post(t, "/api/v1/servers/", `{"name":"crm","transport":"sse","endpoint":`+quoted+`,"tools":[]}`)
			diff(t, "mistakes", []mistake{{"body.endpoint", "url"}}, mistakesOf(t, r))
		})
	}
}

// TestEndpointsAreInTheNetworks: what may not be dialled cannot be registered, neither alone nor in bulk nor by a change, and
// the reply names the setting. A server whose network was taken away keeps its endpoint in a change of something else.
func TestEndpointsAreInTheNetworks(t *testing.T) {
	networks := anywhere()
	g := newGateway(t, func(o *api.Options) { o.Networks = func() *endpoint.Networks { return networks } })
	path := "/api/v1/servers/" + g.register(t, "crm", "")
	networks = endpoint.NewNetworks(nil)
	const inside = `{"name":"b","transport":"http","endpoint":"http://localhost:9000/mcp","tools":[]}`

	alone := g.post(t, "/api/v1/servers/", inside)
	bulk := g.post(t, "/api/v1/bulk/servers/register", `{"servers":[`+inside+`]}`)
	moved := g.write(t, "PATCH", path, `{"endpoint":"http://127.0.0.1:9001/mcp"}`)
	described := g.write(t, "PATCH", path, `{"description":"still here"}`)

	diff(t, "alone", []mistake{{"body.endpoint", "url"}}, mistakesOf(t, alone))
	diff(t, "moved", []mistake{{"body.endpoint", "url"}}, mistakesOf(t, moved))
	diff(t, "bulk", 1.0, bulk.Body.(map[string]any)["failed"])
	diff(t, "described", 200, described.Code)
	if text := fmt.Sprint(alone.Body); !strings.Contains(text, "proxy.registry.allowed_networks") {
		t.Errorf("the reply does not name the setting: %s", text)
	}
}

func TestRegisterAcceptsOrdinaryEndpoints(t *testing.T) {
	g := newGateway(t, nil)
	for i, endpoint := range []string{
		"http://127.0.0.1:9000/mcp", "http://[::1]:9000/", "https://mcp.example.com", "http://mcp_server:80/a/b?c=d",
		"http://10.0.0.7/", "http://192.168.1.2:8080/x", "http://crm.default.svc.cluster.local./mcp", "http://[fd12::1]/",
		"http://1password.example/", "http://a.0xbet/", "HTTPS://Example.com/",
	} {
		t.Run(endpoint, func(t *testing.T) {
			body := `{"name":"s` + strconv.Itoa(i) + `","transport":"http","endpoint":"` + endpoint + `","tools":[]}`
			if r := g.post(t, "/api/v1/servers/", body); r.Code != 201 {
				t.Errorf("status %d, body %v", r.Code, r.Body)
			}
		})
	}
}

func TestBodiesAreBoundedAndTyped(t *testing.T) {
	g := newGateway(t, func(o *api.Options) { o.MaxBodyBytes = 200 })
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	valid := `{"name":"crm","transport":"http","endpoint":"http://a/","tools":[]}`
	cases := []struct {
		name, body string
		change     func(*http.Request)
		status     int
		code       string
	}{
		{"too large", valid + strings.Repeat(" ", 200), nil, 413, "body_too_large"},
		{"form", valid, header("Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported_media_type"},
		{"no type", valid, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "unsupported_media_type"},
		{"other charset", valid, header("Content-Type", "application/json; charset=latin1"), 415, "unsupported_media_type"},
		{"json-like", valid, header("Content-Type", "application/jsonp"), 415, "unsupported_media_type"},
		{"compressed", valid, header("Content-Encoding", "gzip"), 415, "unsupported_media_type"},
		{"no body", "", header("Content-Type", "application/json"), 422, "validation_error"},
		{"charset", valid, header("Content-Type", `Application/JSON; charset="utf-8"`), 201, ""},
	}

	for _, path := range []string{"/api/v1/servers/", "/api/v1/policy/evaluate"} {
		for _, c := range cases {
			if c.status == 201 && path != "/api/v1/servers/" {
				continue
			}
			t.Run(path+" "+c.name, func(t *testing.T) {
				r := g.send(t, "POST", path, c.body, c.change)
				code, _ := r.Body.(map[string]any)["code"].(string)
				diff(t, "refusal", []any{c.status, c.code}, []any{r.Code, code})
			})
		}
	}
}

func TestRegistryThatIsDownIs503(t *testing.T) {
	g := newGateway(t, nil)
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
	want := g.problem("store_unavailable", "The registry cannot answer now")

	for _, r := range []reply{
		g.get(t, "/api/v1/servers/"),
		g.get(t, "/api/v1/servers/01900000-0000-7000-8000-000000000009"),
		g.post(t, "/api/v1/servers/", `{"name":"crm","transport":"http","endpoint":"http://a/","tools":[]}`),
		g.post(t, "/api/v1/policy/evaluate", `{"action":"tool:invoke","tool":"a","server_id":"unknown"}`),
	} {
		diff(t, "reply", []any{503, want}, []any{r.Code, r.Body})
	}
	if n := g.logs.FilterMessage("management call failed").Len(); n != 4 {
		t.Errorf("%d causes logged, want 4", n)
	}
}
