package mcp_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"sark/internal/mcp"
)

// FuzzParseAndSDK holds Parse against the official Go SDK's reading of the same bytes: whatever is authorised as one call
// must be executed as that call, or not at all. A batch that is taken apart must hold the messages that the SDK finds.
func FuzzParseAndSDK(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":[1,2.5e3,"\u00e9\n"]},"_meta":{"progressToken":7}}}`,
		`{"jsonrpc":"2.0","id":"\u0061","method":"prompts/get","params":{"n\u0061me":"greet","arguments":{"who":"me"}}}`,
		`{"jsonrpc":"2.0","id":-3,"method":"resources/read","params":{"uri":"file:///a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}`,
		`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}]`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"},"method":"ping"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := mcp.Split(body, 10)
		if err != nil {
			checkSDK(t, body)
			return
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatalf("split what is no JSON: %q: %v", body, err)
		}
		if len(raw) != len(messages) {
			t.Fatalf("%q: %d messages, want %d", body, len(messages), len(raw))
		}
		for i, m := range messages {
			if !bytes.Equal(bytes.TrimSpace(raw[i]), m) {
				t.Errorf("%q: message %d is %q, want %q", body, i, m, raw[i])
			}
			checkSDK(t, m)
		}
	})
}

// executed is what a server would do with a message.
type executed struct {
	Kind              mcp.Kind
	Method, Name, URI string
	ID                any
	Arguments         string
}

// checkSDK compares what is authorised with what the SDK would execute. What the SDK refuses is not executed.
func checkSDK(t *testing.T, body []byte) {
	t.Helper()
	var c mcp.Call
	if mcp.Parse(&c, body, mcp.Header{}) != nil {
		return
	}
	message, err := jsonrpc.DecodeMessage(body)
	if err != nil {
		return
	}
	got, ok := bySDK(message)
	if !ok {
		return
	}
	want := executed{Kind: c.Kind, Method: c.Method}
	switch c.Method {
	case "tools/call", "prompts/get":
		want.Name = c.Name
	case "resources/read":
		want.URI = c.URI
	}
	if c.Method == "tools/call" {
		want.Arguments = string(c.Arguments)
	}
	var id any
	if c.ID != nil && json.Unmarshal(c.ID, &id) != nil {
		t.Fatalf("%q: id %q is no JSON", body, c.ID)
	}
	if number, ok := id.(float64); ok && number == float64(int64(number)) {
		id = int64(number)
	}
	want.ID = id
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q is authorised as one thing and executed as another (-authorised +executed):\n%s", body, diff)
	}
}

// bySDK is what the SDK's server reads of a message; ok is false for parameters that it refuses.
func bySDK(message jsonrpc.Message) (executed, bool) {
	var e executed
	switch m := message.(type) {
	case *jsonrpc.Response:
		e.Kind, e.ID = mcp.Response, m.ID.Raw()
	case *jsonrpc.Request:
		e.Kind, e.Method, e.ID = mcp.Request, m.Method, m.ID.Raw()
		if !m.ID.IsValid() {
			e.Kind = mcp.Notification
		}
		return e, e.readParams(m.Params)
	}
	return e, true
}

func (e *executed) readParams(raw json.RawMessage) bool {
	if raw == nil {
		raw = json.RawMessage(`{}`)
	}
	switch e.Method {
	case "tools/call":
		var p sdk.CallToolParamsRaw
		if json.Unmarshal(raw, &p) != nil {
			return false
		}
		e.Name = p.Name
		if string(p.Arguments) != "null" {
			e.Arguments = string(p.Arguments)
		}
	case "prompts/get":
		var p sdk.GetPromptParams
		if json.Unmarshal(raw, &p) != nil {
			return false
		}
		e.Name = p.Name
	case "resources/read":
		var p sdk.ReadResourceParams
		if json.Unmarshal(raw, &p) != nil {
			return false
		}
		e.URI = p.URI
	}
	return true
}
