package mcp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func TestParseReply(t *testing.T) {
	tests := []struct {
		message string
		want    mcp.Reply
		err     string
	}{
		{message: `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"content":[]}`)}},
		{message: `{"result":{"isError":true},"id":"a"}`, want: mcp.Reply{ID: []byte(`"a"`), Result: []byte(`{"isError":true}`), ToolError: true}},
		{message: `{"id":1,"result":{"isError":"true"}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"isError":"true"}`)}},
		{message: `{"id":1,"result":{"x":{"isError":true}}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"x":{"isError":true}}`)}},
		{message: `{"id":1,"result":{"resultType":"input_required"}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"resultType":"input_required"}`), InputRequired: true, Type: []byte(`"input_required"`)}},
		{message: `{"id":1,"result":{"resultType":"input\u005frequired"}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"resultType":"input\u005frequired"}`), InputRequired: true, Type: []byte(`"input\u005frequired"`)}},
		{message: `{"id":1,"result":{"resultType":"complete"}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{"resultType":"complete"}`), Type: []byte(`"complete"`)}},
		{
			message: `{"id":1,"result":{"ttl\u004ds":5,"cacheScope" : "public","_meta":{"ttlMs":6}},"ttlMs":7}`,
			want: mcp.Reply{
				ID: []byte("1"), Result: []byte(`{"ttl\u004ds":5,"cacheScope" : "public","_meta":{"ttlMs":6}}`), TTL: []byte("5"), Scope: []byte(`"public"`),
			},
		},
		{message: `{"id":1,"result":[]}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`[]`)}},
		{message: `{"id":1,"result":{},"error":null}`, want: mcp.Reply{ID: []byte("1"), Result: []byte(`{}`)}},
		{message: `{"id":null,"error":{"message":"m","code":-32601}}`, want: mcp.Reply{ID: []byte("null"), Failed: true, Code: -32601}},
		{message: `{"id":1,"error":{"code":1.5}}`, want: mcp.Reply{ID: []byte("1"), Failed: true}},
		{message: `{"id":1,"error":{"code":99999999999999999999}}`, want: mcp.Reply{ID: []byte("1"), Failed: true}},
		{message: `{"id":1,"error":{"code":"403"}}`, want: mcp.Reply{ID: []byte("1"), Failed: true}},
		{message: `{"id":1,"error":"broken"}`, want: mcp.Reply{ID: []byte("1"), Failed: true}},
		{message: `{"id":1,"result":null,"error":{"code":5}}`, want: mcp.Reply{ID: []byte("1"), Result: []byte("null"), Failed: true, Code: 5}},
		{message: `{"method":"notifications/pr\u006fgress","params":{}}`, want: mcp.Reply{Method: "notifications/progress"}},
		{message: `{"method":"sampling/createMessage","id":3}`, want: mcp.Reply{Method: "sampling/createMessage", ID: []byte("3")}},

		{message: ``, err: "not a JSON-RPC object"},
		{message: `[]`, err: "not a JSON-RPC object"},
		{message: `{"id":1`, err: "invalid JSON"},
		{message: `{"id":1}{}`, err: "bytes after the message"},
		{message: `{"id":1,"result":{},"error":{}}`, err: "more than one of method, result and error"},
		{message: `{"id":1,"result":{},"method":"x"}`, err: "more than one of method, result and error"},
		{message: `{"id":1,"result":{},"result":{}}`, err: "duplicate key"},
		{message: `{"id":1,"result":{"isError":false,"isError":true}}`, err: "duplicate key"},
		{message: `{"id":1,"result":{"ttlMs":1,"ttl\u004ds":1}}`, err: "duplicate key"},
		{message: `{"id":1,"Result":{}}`, err: "key differs from a known one only in case"},
		{message: `{"id":1,"re` + "\u017f" + `ult":{}}`, err: "key differs from a known one only in case"},
	}
	for _, tt := range tests {
		got, err := mcp.ParseReply([]byte(tt.message))
		if err != nil || tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: %v, want %q", tt.message, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.message, diff)
		}
		checkReply(t, []byte(tt.message))
	}
}

// checkReply holds ParseReply against encoding/json.
func checkReply(t *testing.T, message []byte) {
	t.Helper()
	got, err := mcp.ParseReply(message)
	if err != nil {
		return
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(message, &m); err != nil {
		t.Errorf("accepted what is no JSON: %q", message)
		return
	}
	if key, twice := duplicateKey(message); twice {
		t.Errorf("accepted key %q twice: %q", key, message)
	}
	var method string
	_ = json.Unmarshal(m["method"], &method) // what is no string counts as none
	var result struct {
		IsError any `json:"isError"`
		Type    any `json:"resultType"`
	}
	if tree := map[string]any{}; json.Unmarshal(m["result"], &tree) == nil {
		result.IsError, result.Type = tree["isError"], tree["resultType"]
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(m["result"], &members) // what is no object has none
	want := mcp.Reply{
		ID: m["id"], Method: method, Result: m["result"], Failed: m["error"] != nil && string(m["error"]) != "null", Code: got.Code,
		ToolError: result.IsError == true, InputRequired: result.Type == "input_required",
		TTL: members["ttlMs"], Scope: members["cacheScope"], Type: members["resultType"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", message, diff)
	}
}

var hostile = []string{
	"", "plain", `"`, `\`, `\"`, `</script>`, "\x00\x01\x1f\x7f", "a\nb\r\tc", "\u2028\u2029", "é漢😀", "\xff", "a\xc0\xafb", "\xed\xa0\x80", "\xf0\x9f",
	`","code":0,"x":"`, "\ufffd", strings.Repeat(`"\`, 100),
}

func TestAppendString(t *testing.T) {
	for _, s := range hostile {
		var got string
		raw := mcp.AppendString([]byte("x"), s)
		if err := json.Unmarshal(raw[1:], &got); err != nil || !utf8.Valid(raw) {
			t.Errorf("%q became %q: %v", s, raw, err)
			continue
		}
		if diff := cmp.Diff(strings.ToValidUTF8(s, "\ufffd"), strings.ReplaceAll(got, "\ufffd\ufffd", "\ufffd")); diff != "" && !strings.Contains(got, "\ufffd") {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	}
}

func TestAppendReplies(t *testing.T) {
	type reply struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      any             `json:"id"`
		Result  json.RawMessage `json:"result"`
		Error   *struct {
			Code    int             `json:"code"`
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data"`
		} `json:"error"`
	}
	read := func(raw []byte) (r reply) {
		t.Helper()
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		return r
	}
	want := reply{JSONRPC: "2.0", ID: "a", Result: json.RawMessage(`{"x":1}`)}
	if diff := cmp.Diff(want, read(mcp.AppendResult(nil, []byte(`"a"`), []byte(`{"x":1}`)))); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	for _, s := range hostile {
		got := read(mcp.AppendError(nil, nil, -32600, s, mcp.AppendString(nil, s)))
		if got.Error == nil || got.ID != "" || got.Error.Code != -32600 {
			t.Errorf("error %+v for %q", got, s)
			continue
		}
		var message, data string
		_ = json.Unmarshal(mcp.AppendString(nil, s), &message)
		if err := json.Unmarshal(got.Error.Data, &data); err != nil || data != message || got.Error.Message != message {
			t.Errorf("message %q, data %q for %q", got.Error.Message, data, s)
		}
	}
	if got := string(mcp.AppendError(nil, []byte("7"), 403, "no", nil)); got != `{"jsonrpc":"2.0","id":7,"error":{"code":403,"message":"no"}}` {
		t.Error(got)
	}
}
