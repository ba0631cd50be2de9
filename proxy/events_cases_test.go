package proxy_test

import (
	"fmt"
	"strings"

	"sark/internal/testkit"
)

// methodCase is one thing that a client can send to an MCP endpoint.
type methodCase struct {
	name   string // of the case, where that is not the method
	method string // JSON-RPC method
	params string // members of params, without _meta
	header string // what Mcp-Name says in the modern era
	body   string // the whole message, for what is not a request or notification
	verb   string // HTTP verb, POST when empty
	stream string // "legacy" or "modern": the era in which the reply is a stream that stays open
}

// methodCases are all methods that the MCP revisions up to 2026-07-28 and the tasks extension know from client to server,
// answers to a server's requests, the verbs of the endpoint, and a method that nobody knows.
func methodCases() []methodCase {
	return []methodCase{
		{method: "server/discover"},
		{method: "initialize", params: `"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}`},
		{method: "notifications/initialized"},
		{method: "ping"},
		{method: "tools/list", params: `"cursor":"next"`},
		{method: "prompts/list"},
		{method: "resources/list"},
		{method: "resources/templates/list"},
		{method: "tools/call", params: `"name":"echo","arguments":{"text":"hello"}`, header: "echo"},
		{name: "tools/call of a tool with effects", method: "tools/call", params: `"name":"wipe","arguments":{"all":true}`, header: "wipe"},
		{name: "tools/call of an unknown tool", method: "tools/call", params: `"name":"novel"`, header: "novel"},
		{name: "tools/call that answers an input request", method: "tools/call", params: `"name":"echo","inputResponses":{"q":{"action":"accept"}},"requestState":"s"`, header: "echo"},
		{method: "prompts/get", params: `"name":"greet","arguments":{"who":"you"}`, header: "greet"},
		{method: "resources/read", params: `"uri":"test://one"`, header: "test://one"},
		{method: "resources/subscribe", params: `"uri":"test://one"`},
		{method: "resources/unsubscribe", params: `"uri":"test://one"`},
		{method: "subscriptions/listen", params: `"notifications":{"toolsListChanged":true}`, stream: "modern"},
		{method: "completion/complete", params: `"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"y"}`},
		{name: "completion/complete of a resource", method: "completion/complete", params: `"ref":{"type":"ref/resource","uri":"test://{id}"},"argument":{"name":"id","value":"o"}`},
		{method: "logging/setLevel", params: `"level":"debug"`},
		{method: "tasks/get", params: `"taskId":"task-1"`, header: "task-1"},
		{method: "tasks/update", params: `"taskId":"task-1","inputResponses":{}`, header: "task-1"},
		{method: "tasks/cancel", params: `"taskId":"task-1"`, header: "task-1"},
		{method: "tasks/list"},
		{method: "tasks/result", params: `"taskId":"task-1"`},
		{method: "notifications/cancelled", params: `"requestId":7`},
		{method: "notifications/progress", params: `"progressToken":"p","progress":1`},
		{method: "notifications/roots/list_changed"},
		{name: "response with a result", body: `{"jsonrpc":"2.0","id":"s-1","result":{"action":"accept"}}`},
		{name: "response with an error", body: `{"jsonrpc":"2.0","id":"s-2","error":{"code":-1,"message":"rejected"}}`},
		{method: "vendor/extension", params: `"name":"thing","uri":"vendor://thing"`},
		{name: "GET", verb: "GET", stream: "legacy"}, // a modern server has none
		{name: "DELETE", verb: "DELETE"},
	}
}

func (m *methodCase) String() string {
	if m.name != "" {
		return m.name
	}
	return m.method
}

// send writes the case as a client of the era does.
func (m *methodCase) send(c *testkit.RawClient, era string, lines ...string) {
	switch {
	case m.verb != "":
		c.Send(m.verb, "/mcp", "", append(lines, "Accept: text/event-stream", "Mcp-Protocol-Version: "+revision(era))...)
	case m.body != "":
		c.Post("/mcp", m.body, append(lines, "Mcp-Protocol-Version: "+revision(era))...)
	case era == "modern":
		lines = append(lines, "Mcp-Protocol-Version: "+revision(era), "Mcp-Method: "+m.method)
		if m.header != "" {
			lines = append(lines, "Mcp-Name: "+m.header)
		}
		c.Post("/mcp", m.message(modernMeta), lines...)
	default:
		c.Post("/mcp", m.message(""), append(lines, "Mcp-Protocol-Version: "+revision(era), "Mcp-Session-Id: session-1")...)
	}
}

// message is the JSON-RPC message, with meta as the first member of params.
func (m *methodCase) message(meta string) string {
	id := `"id":7,`
	if strings.HasPrefix(m.method, "notifications/") {
		id = ""
	}
	params := m.params
	if meta != "" {
		params = strings.TrimSuffix(meta+","+params, ",")
	}
	if params != "" {
		params = `,"params":{` + params + `}`
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0",%s"method":%q%s}`, id, m.method, params)
}

// modernMeta is what makes a message one of the modern era.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// revision is the protocol revision that a client of the era names.
func revision(era string) string {
	if era == "modern" {
		return "2026-07-28"
	}
	return "2025-11-25"
}
