package mcp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// methodRow is one method of the protocol, from client to server, as policies see it.
type methodRow struct {
	method, params    string
	action, resource  string
	name, uri, list   string
	readOnly, streams bool
}

// methodRows lists every method of the revisions 2024-11-05 to 2026-07-28 and of the tasks extension.
var methodRows = []methodRow{
	{method: "server/discover", action: "mcp:server/discover", readOnly: true},
	{method: "initialize", params: `{"protocolVersion":"2025-11-25"}`, action: "mcp:initialize", readOnly: true},
	{method: "notifications/initialized", action: "mcp:notifications/initialized", readOnly: true},
	{method: "ping", action: "mcp:ping", readOnly: true},
	{method: "tools/list", action: "tool:list", list: "tools", readOnly: true},
	{method: "prompts/list", action: "mcp:prompts/list", list: "prompts", readOnly: true},
	{method: "resources/list", action: "mcp:resources/list", list: "resources", readOnly: true},
	{method: "resources/templates/list", action: "mcp:resources/templates/list", list: "resourceTemplates", readOnly: true},
	{method: "tools/call", params: `{"name":"n"}`, action: "tool:invoke", resource: "tool", name: "n"},
	{method: "prompts/get", params: `{"name":"n"}`, action: "prompt:get", resource: "prompt", name: "n", readOnly: true},
	{method: "resources/read", params: `{"uri":"u"}`, action: "resource:read", resource: "resource", uri: "u", readOnly: true},
	{method: "resources/subscribe", params: `{"uri":"u"}`, action: "mcp:resources/subscribe", resource: "resource", uri: "u", readOnly: true},
	{method: "resources/unsubscribe", params: `{"uri":"u"}`, action: "mcp:resources/unsubscribe", resource: "resource", uri: "u", readOnly: true},
	{method: "subscriptions/listen", params: `{"notifications":{}}`, action: "mcp:subscriptions/listen", readOnly: true, streams: true},
	{method: "completion/complete", params: `{"ref":{"type":"ref/prompt","name":"n"}}`, action: "completion:get", resource: "prompt", name: "n", readOnly: true},
	{method: "logging/setLevel", params: `{"level":"info"}`, action: "mcp:logging/setLevel", readOnly: true},
	{method: "tasks/get", params: `{"taskId":"n"}`, action: "mcp:tasks/get", resource: "task", name: "n", readOnly: true},
	{method: "tasks/update", params: `{"taskId":"n"}`, action: "mcp:tasks/update", resource: "task", name: "n"},
	{method: "tasks/cancel", params: `{"taskId":"n"}`, action: "mcp:tasks/cancel", resource: "task", name: "n"},
	{method: "tasks/list", action: "mcp:tasks/list", list: "tasks", readOnly: true},
	{method: "tasks/result", params: `{"taskId":"n"}`, action: "mcp:tasks/result", resource: "task", name: "n", readOnly: true},
	{method: "notifications/cancelled", params: `{"requestId":1}`, action: "mcp:notifications/cancelled", readOnly: true},
	{method: "notifications/progress", params: `{"progressToken":1}`, action: "mcp:notifications/progress", readOnly: true},
	{method: "notifications/roots/list_changed", action: "mcp:notifications/roots/list_changed", readOnly: true},
	{method: "acme/unheard-of", action: "mcp:acme/unheard-of"},
}

func TestMethods(t *testing.T) {
	for _, want := range methodRows {
		t.Run(want.method, func(t *testing.T) {
			body := `{"jsonrpc":"2.0","id":1,"method":"` + want.method + `"`
			if want.params != "" {
				body += `,"params":` + want.params
			}
			var c mcp.Call
			if err := mcp.Parse(&c, []byte(body+`}`), mcp.Header{}); err != nil {
				t.Fatal(err)
			}
			got := methodRow{
				method: c.Method, params: string(c.Params), action: c.Action, resource: c.ResourceType, name: c.Name, uri: c.URI,
				list: mcp.ListKey(c.Method), readOnly: c.ReadOnly, streams: c.Streams,
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(methodRow{})); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
			if action := mcp.ActionOf(want.method); action != want.action {
				t.Errorf("ActionOf = %q, want %q", action, want.action)
			}
		})
	}
}

// A client chooses method names: none may be decided as if it were something else.
func TestActionsAreNotForged(t *testing.T) {
	got := map[string]string{}
	for _, name := range []string{"response", "stream", "session/end", "Tools/Call", "tools/call ", ""} {
		got[name] = mcp.ActionOf(name)
	}
	want := map[string]string{
		"response": "mcp:method/response", "stream": "mcp:method/stream", "session/end": "mcp:method/session/end",
		"Tools/Call": "mcp:Tools/Call", "tools/call ": "mcp:tools/call ", "": "mcp:",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestServerActions(t *testing.T) {
	got := map[string]string{}
	for _, name := range []string{"sampling/createMessage", "elicitation/create", "roots/list", "ping", "x/y"} {
		got[name] = mcp.ServerActionOf(name)
	}
	want := map[string]string{
		"sampling/createMessage": "server:sampling", "elicitation/create": "server:elicitation", "roots/list": "server:roots",
		"ping": "server:ping", "x/y": "server:x/y",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestEra(t *testing.T) {
	got := map[string]bool{}
	for _, version := range []string{"", "2024-11-05", "2025-11-25", "2026-07-27", "2026-07-28", "2027-01-01", "2026-07-28x", "20270101xx", "draft"} {
		got[version] = mcp.ModernVersion(version)
	}
	want := map[string]bool{
		"": false, "2024-11-05": false, "2025-11-25": false, "2026-07-27": false, "2026-07-28": true, "2027-01-01": true,
		"2026-07-28x": false, "20270101xx": false, "draft": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modern (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"legacy", "modern"}, []string{mcp.Legacy.String(), mcp.Modern.String()}); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
