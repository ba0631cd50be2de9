package proxy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/testkit"
)

// TestEventContent compares everything that the trail says about one call by the holder of a token.
func TestEventContent(t *testing.T) {
	issuer := testkit.NewSigner(t)
	a, err := authn.New(authn.Options{JWT: &authn.JWTOptions{Issuer: issuer.Issuer(), Audience: []string{"gateway"}, Key: issuer.PublicKeyPEM()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	token := issuer.Sign(map[string]any{
		"sub": "ada", "aud": "gateway", "email": "ada@example.com", "client_id": "desk-app",
		"roles": []string{"analyst", "viewer"}, "teams": []string{"support"}, "scope": "mcp other",
	})
	g := newGateway(t, func(s *setup) {
		s.Authenticator, s.Decider, s.Environment = a, newEngine(t, "testdata/policy"), "staging"
		s.HashArguments = func(arguments []byte) string {
			return string(audit.NewArgumentHasher([]byte("key")).Append(nil, arguments))
		}
		s.RecordArguments = func([]byte) []byte { return []byte(`{"text":"***"}`) }
	})
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, "Authorization: Bearer "+token, "Mcp-Protocol-Version: 2025-11-25", "Mcp-Session-Id: secret-session",
		"User-Agent: test/1.0", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	want := strings.ReplaceAll(`{"action_operation":"tool:invoke","action_parameters":{"text":"***"},`+
		`"arguments_hash":"`+string(audit.NewArgumentHasher([]byte("key")).Append(nil, []byte(`{"text":"hello"}`)))+`","auth_method":"jwt","bytes_in":107,"bytes_out":100,`+
		`"class_uid":6003,"client_id":"desk-app","cost":0,"decision":"allow","environment":"staging","era":"legacy","event_type":"tool_invoked",`+
		`"http_method":"POST","ip_address":"127.0.0.1","method":"tools/call","outcome":"allowed","path":"/mcp","phase":"single",`+
		`"policy_id":"sark/decision","policy_revision":"test-1","principal_attributes":{"issuer":"ISSUER","scopes":["mcp","other"],"teams":["support"]},`+
		`"principal_type":"user","protocol_version":"2025-11-25","reason":"analysts may do this","request_id":"\"call-1\"","resource_type":"tool",`+
		`"rpc_code":0,"rule":"test.allow","sensitivity":"low","server_id":"desk","server_name":"desk","session_id":"`+sessionDigest+`","severity":"low",`+
		`"span_id":"b7ad6b7169203331","status_code":200,"success":true,"tool_name":"echo","trace_id":"0af7651916cd43dd8448eb211c80319c",`+
		`"user_agent":"test/1.0","user_email":"ada@example.com","user_id":"ada","user_roles":["analyst","viewer"]}`, "ISSUER", issuer.Issuer())
	got := string(normalize(t, g.Events())[0])
	if d := cmp.Diff(strings.Split(want, ","), strings.Split(got, ",")); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
}

// sessionDigest is the beginning of the SHA-256 of "secret-session".
const sessionDigest = "eab74c416d01ec36"

// TestEventKeepsWhatHeadersSaid: the trail shows the request as it came, also where the client has fields removed on the
// way upstream.
func TestEventKeepsWhatHeadersSaid(t *testing.T) {
	g := newGateway(t, nil)
	c := g.Dial(t)
	c.Post("/mcp", allowedCall, "Connection: Traceparent, User-Agent", "User-Agent: test/1.0", "Mcp-Protocol-Version: 2025-11-25", bearer("analyst"))
	if r := c.ReadReply(); r.Status != 200 {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	e := g.Events()[0]
	if e.ProtocolVersion != "2025-11-25" || e.HTTPMethod != "POST" || e.Path != "/mcp" || e.RequestID != `"call-1"` {
		t.Errorf("event %+v", e)
	}
}

// TestIntents: what may have effects is recorded before it is done, unless the operator wants all or none of it.
func TestIntents(t *testing.T) {
	call := func(name string) *methodCase {
		return &methodCase{method: "tools/call", params: `"name":"` + name + `"`}
	}
	cases := []*methodCase{
		call("echo"), call("wipe"), call("novel"),
		{method: "tools/list"},
		{method: "prompts/get", params: `"name":"greet"`},
		{method: "tasks/cancel", params: `"taskId":"t"`},
		{method: "vendor/thing"},
		{method: "notifications/progress"},
		{verb: "DELETE"},
	}
	for mode, want := range map[string][]string{
		"":        {"tools/call wipe", "tools/call novel", "tasks/cancel t", "vendor/thing", "mcp:session/end"},
		"effects": {"tools/call wipe", "tools/call novel", "tasks/cancel t", "vendor/thing", "mcp:session/end"},
		"none":    nil,
		"all": {
			"tools/call echo", "tools/call wipe", "tools/call novel", "tools/list", "prompts/get greet", "tasks/cancel t",
			"vendor/thing", "notifications/progress", "mcp:session/end",
		},
	} {
		t.Run(mode, func(t *testing.T) {
			g := newGateway(t, func(s *setup) { s.Decider, s.Intent = allowAll(), mode })
			c := g.Dial(t)
			for _, m := range cases {
				m.send(c, "legacy", bearer("analyst"))
				c.ReadReply()
			}
			var got []string
			events := g.Events()
			for _, i := range g.Trail.Intents() {
				what := i.Method
				if what == "" {
					what = i.Action
				}
				got = append(got, strings.TrimSpace(what+" "+i.ToolName+i.Resource))
				if !slices.ContainsFunc(events, func(e audit.Event) bool { return e.ExchangeID == i.ExchangeID }) || i.Outcome != "" {
					t.Errorf("intent %+v has an outcome, or no event", i)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("intents (-want +got):\n%s", d)
			}
		})
	}
}

// TestSeverity: refusals and critical tools stand out.
func TestSeverity(t *testing.T) {
	g := newGateway(t, nil)
	c := g.Dial(t)
	var got []audit.Severity
	for i, role := range []string{"analyst", "stranger", "admin"} {
		tool := []string{"echo", "echo", "wipe"}[i]
		c.Post("/mcp", strings.Replace(allowedCall, "echo", tool, 1), bearer(role))
		c.ReadReply()
		got = append(got, g.AwaitEvents(t, i+1)[i].Severity)
	}
	// The built-in policy raises the severity of a call to the level of its tool.
	if d := cmp.Diff([]audit.Severity{audit.SeverityLow, audit.SeverityMedium, audit.SeverityCritical}, got); d != "" {
		t.Errorf("severities (-want +got):\n%s", d)
	}
}
