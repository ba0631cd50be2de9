package mcp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func TestHeaders(t *testing.T) {
	const (
		call    = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ping",` + modernMeta + `}}`
		legacy  = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ping"}}`
		read    = `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"f:/ä",` + modernMeta + `}}`
		list    = `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{` + modernMeta + `}}`
		task    = `{"jsonrpc":"2.0","id":7,"method":"tasks/get","params":{"taskId":"t1",` + modernMeta + `}}`
		looks   = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"=?base64?cGluZw==?=",` + modernMeta + `}}`
		notify  = `{"jsonrpc":"2.0","method":"notifications/x"}`
		answer  = `{"jsonrpc":"2.0","id":7,"result":{}}`
		old     = `{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}`
		escaped = `{"jsonrpc":"2.0","id":7,"method":"tools\/call","params":{"name":"p\u0069ng","_meta":{"io.modelcontextprotocol/protocolVersion":"2026\u002d07-28"}}}`

		noVersion    = "MCP-Protocol-Version header is missing"
		otherVersion = "MCP-Protocol-Version header differs from _meta"
		noMethod     = "Mcp-Method header is missing"
		otherMethod  = "Mcp-Method header differs from the body"
		noName       = "Mcp-Name header is missing"
		otherName    = "Mcp-Name header differs from the body"
		badName      = "Mcp-Name header cannot be decoded"

		absent = "-"
	)
	tests := []struct {
		what, body            string
		version, method, name string // absent: no such header
		reason                string // empty: accepted
	}{
		{"modern call", call, "2026-07-28", "tools/call", "ping", ""},
		{"modern call, all escaped", escaped, "2026-07-28", "tools/call", "ping", ""},
		{"modern call in the sentinel", call, "2026-07-28", "tools/call", "=?base64?cGluZw==?=", ""},
		{"no version", call, absent, "tools/call", "ping", noVersion},
		{"no headers at all", call, absent, absent, absent, noVersion},
		{"legacy version over a modern body", call, "2025-11-25", "tools/call", "ping", otherVersion},
		{"newer version over a modern body", call, "2027-01-01", "tools/call", "ping", otherVersion},
		{"empty version", call, "", "tools/call", "ping", otherVersion},
		{"no method", call, "2026-07-28", absent, "ping", noMethod},
		{"other method", call, "2026-07-28", "tools/list", "ping", otherMethod},
		{"method in another case", call, "2026-07-28", "TOOLS/CALL", "ping", otherMethod},
		{"empty method", call, "2026-07-28", "", "ping", otherMethod},
		{"method in the sentinel", call, "2026-07-28", "=?base64?dG9vbHMvY2FsbA==?=", "ping", otherMethod},
		{"no name", call, "2026-07-28", "tools/call", absent, noName},
		{"other name", call, "2026-07-28", "tools/call", "pong", otherName},
		{"name in another case", call, "2026-07-28", "tools/call", "Ping", otherName},
		{"empty name", call, "2026-07-28", "tools/call", "", otherName},
		{"other name in the sentinel", call, "2026-07-28", "tools/call", "=?base64?cG9uZw==?=", otherName},
		{"sentinel not base64", call, "2026-07-28", "tools/call", "=?base64?cGl!?=", badName},
		{"sentinel without padding", call, "2026-07-28", "tools/call", "=?base64?cGluZw?=", badName},
		{"sentinel with stray bits", call, "2026-07-28", "tools/call", "=?base64?cGluZx==?=", badName},
		{"sentinel not UTF-8", call, "2026-07-28", "tools/call", "=?base64?/w==?=", badName},
		{"sentinel in capitals is literal", call, "2026-07-28", "tools/call", "=?BASE64?cGluZw==?=", otherName},
		{"name that looks like a sentinel must be encoded", looks, "2026-07-28", "tools/call", "=?base64?cGluZw==?=", otherName},
		{"name that looks like a sentinel, encoded", looks, "2026-07-28", "tools/call", "=?base64?PT9iYXNlNjQ/Y0dsdVp3PT0/PQ==?=", ""},
		{"uri in the sentinel", read, "2026-07-28", "resources/read", "=?base64?Zjovw6Q=?=", ""},
		{"uri as raw UTF-8", read, "2026-07-28", "resources/read", "f:/ä", ""},
		{"uri missing", read, "2026-07-28", "resources/read", absent, noName},
		{"list needs no name", list, "2026-07-28", "tools/list", absent, ""},
		{"list ignores a name", list, "2026-07-28", "tools/list", "x", ""},
		{"task", task, "2026-07-28", "tasks/get", "t1", ""},
		{"task without name", task, "2026-07-28", "tasks/get", absent, ""},
		{"other task", task, "2026-07-28", "tasks/get", "t2", otherName},
		{"modern version over a body without _meta", legacy, "2026-07-28", absent, absent, noMethod},
		{"modern notification", notify, "2026-07-28", absent, absent, ""},
		{"modern notification, other method", notify, "2026-07-28", "notifications/y", absent, otherMethod},

		{"legacy, no headers", legacy, absent, absent, absent, ""},
		{"legacy, version only", legacy, "2025-11-25", absent, absent, ""},
		{"legacy, all headers", legacy, "2025-11-25", "tools/call", "ping", ""},
		{"legacy, other method", legacy, "2025-11-25", "ping", absent, otherMethod},
		{"legacy, other name", legacy, "2025-11-25", "tools/call", "pong", otherName},
		{"legacy, name without version", legacy, absent, absent, "pong", otherName},
		{"legacy, bad sentinel", legacy, absent, absent, "=?base64?!?=", badName},
		{"legacy version in _meta", old, absent, absent, absent, ""},
		{"legacy version in _meta and header", old, "2025-11-25", absent, absent, ""},
		{"legacy version in _meta, modern header", old, "2026-07-28", "ping", absent, otherVersion},
		{"response", answer, "2025-11-25", absent, absent, ""},
		{"response with a method header", answer, "2025-11-25", "tools/call", absent, otherMethod},
	}
	value := func(s string) []byte {
		if s == absent {
			return nil
		}
		return []byte(s)
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			h := mcp.Header{ProtocolVersion: value(tt.version), Method: value(tt.method), Name: value(tt.name)}
			checkParse(t, []byte(tt.body), h)
			if tt.reason == "" {
				if err := mcp.Parse(new(mcp.Call), []byte(tt.body), h); err != nil {
					t.Error(err)
				}
				return
			}
			want := &mcp.Error{Code: mcp.CodeHeaderMismatch, Reason: tt.reason}
			if tt.body != notify {
				want.ID = []byte("7")
			}
			if diff := cmp.Diff(want, refusal(t, []byte(tt.body), h)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeHeader(t *testing.T) {
	type decoded struct {
		Text string
		OK   bool
	}
	want := map[string]decoded{
		"":                      {"", true},
		"plain":                 {"plain", true},
		"=?base64?cGluZw==?=":   {"ping", true},
		"=?base64??=":           {"", true},
		"=?base64?=":            {"=?base64?=", true},
		"=?base64?cGluZw==":     {"=?base64?cGluZw==", true},
		"base64?cGluZw==?=":     {"base64?cGluZw==?=", true},
		"=?Base64?cGluZw==?=":   {"=?Base64?cGluZw==?=", true},
		"=?base64?7aCA?=":       {"", false}, // a surrogate
		"=?base64?c GluZw=?=":   {"", false},
		"=?base64?_-__?=":       {"", false}, // the URL alphabet
		"=?base64?cGlu\nZw==?=": {"", false},
	}
	got := map[string]decoded{}
	for value := range want {
		text, ok := mcp.DecodeHeader([]byte(value))
		got[value] = decoded{string(text), ok}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}
