package mcp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// refusal parses a body that must be refused and returns the error.
func refusal(t *testing.T, body []byte, h mcp.Header) *mcp.Error {
	t.Helper()
	err := mcp.Parse(new(mcp.Call), body, h)
	var bad *mcp.Error
	if !errors.As(err, &bad) {
		t.Errorf("Parse(%q) = %v, want an *Error", body, err)
		return nil
	}
	return bad
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestParseRefuses(t *testing.T) {
	const (
		head      = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a",`
		tail      = `}}`
		duplicate = "duplicate key"
		fold      = "key differs from a known one only in case"
		surrogate = "lone surrogate escape"
		syntax    = "invalid JSON"
	)
	tests := []struct {
		name   string
		body   string
		code   int
		reason string
		id     string
	}{
		{"duplicate method", `{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}`, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate params", `{"jsonrpc":"2.0","id":7,"method":"ping","params":{},"params":{}}`, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate unknown member", `{"x":1,"x":1,"jsonrpc":"2.0","method":"ping","id":7}`, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate name", head + `"name":"b"` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate escaped name", head + `"n\u0061me":"b"` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate in arguments", head + `"arguments":{"x":1,"x":2}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate escaped both ways", head + `"arguments":{"\u0078":1,"\u0058":2,"\u0078":3}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate empty key", head + `"arguments":{"":1,"":2}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate by surrogate pair", head + `"arguments":{"😀":1,"\ud83d\ude00":2}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate in nested arguments", head + `"arguments":{"a":{"b":{"x":1,"y":{},"x":2}}}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate deep in arrays", head + `"arguments":{"a":[[1,[{"x":[{"k":1},{"k":1,"k":2}]}]]]}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate in _meta", head + `"_meta":{"progressToken":1,"progressToken":2}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate _meta", head + `"_meta":{},"_meta":{}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate in ref", head + `"ref":{"name":"a","name":"b"}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate after a nested object with the same key", head + `"arguments":{"k":{"k":{"\u006b":1}},"k":1}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate escaped keys around a nested object", head + `"arguments":{"\u0061":{"\u0062":1},"\u0061":2}` + tail, mcp.CodeInvalidRequest, duplicate, "7"},
		{"duplicate in a result", `{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}`, mcp.CodeInvalidRequest, duplicate, "7"},

		{"folded envelope key", `{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call"}`, mcp.CodeInvalidRequest, fold, "7"},
		{"folded envelope key alone", `{"jsonrpc":"2.0","id":7,"METHOD":"ping"}`, mcp.CodeInvalidRequest, fold, "7"},
		{"folded id", `{"jsonrpc":"2.0","ID":8,"method":"ping"}`, mcp.CodeInvalidRequest, fold, ""},
		{"folded name", head + `"NAME":"b"` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"folded escaped name", head + `"\u004eame":"b"` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"long s in params", `{"jsonrpc":"2.0","id":7,"method":"ping","param` + "\u017f" + `":{}}`, mcp.CodeInvalidRequest, fold, "7"},
		{"long s escaped in arguments key", head + `"argument\u017f":{}` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"kelvin sign in taskId", head + `"tas` + "\u212a" + `Id":"b"` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"kelvin sign in progressToken", head + `"_meta":{"progressTo` + "\u212a" + `en":1}` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"folded _meta version", head + `"_meta":{"IO.modelcontextprotocol/protocolVersion":"2026-07-28"}` + tail, mcp.CodeInvalidRequest, fold, "7"},
		{"folded ref type", head + `"ref":{"Type":"ref/prompt"}` + tail, mcp.CodeInvalidRequest, fold, "7"},

		{"lone high surrogate", head + `"arguments":{"x":"\ud800"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"lone high surrogate before text", head + `"arguments":{"x":"\ud800abcdef"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"lone low surrogate", head + `"arguments":{"x":"\udc00"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"two high surrogates", head + `"arguments":{"x":"\ud800\ud800\udc00"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"two low surrogates", head + `"arguments":{"x":"\udc00\udc00"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"high surrogate before one beyond the low ones", head + `"arguments":{"x":"\ud800\ue000"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"high surrogate before one below the low ones", head + `"arguments":{"x":"\udbff\udbff"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"high surrogate before another escape", head + `"arguments":{"x":"\ud800\n"}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"lone surrogate in a key", head + `"arguments":{"\udfff":1}` + tail, mcp.CodeInvalidRequest, surrogate, "7"},
		{"lone surrogate before the id", `{"x":"\ud800","jsonrpc":"2.0","method":"ping","id":7}`, mcp.CodeInvalidRequest, surrogate, "7"},

		{"stray continuation byte", head + "\"arguments\":{\"x\":\"\x80\"}" + tail, mcp.CodeParse, "invalid UTF-8", "7"},
		{"overlong slash", head + "\"arguments\":{\"x\":\"\xc0\xaf\"}" + tail, mcp.CodeParse, "invalid UTF-8", "7"},
		{"encoded surrogate", head + "\"arguments\":{\"x\":\"\xed\xa0\x80\"}" + tail, mcp.CodeParse, "invalid UTF-8", "7"},
		{"beyond Unicode", head + "\"arguments\":{\"x\":\"\xf4\x90\x80\x80\"}" + tail, mcp.CodeParse, "invalid UTF-8", "7"},
		{"cut rune in a key", head + "\"arguments\":{\"\xe6\xbc\":1}" + tail, mcp.CodeParse, "invalid UTF-8", "7"},
		{"bad UTF-8 outside strings", "{\"jsonrpc\":\"2.0\",\"id\":7,\xff}", mcp.CodeParse, syntax, "7"},

		{"bytes after the message", `{"jsonrpc":"2.0","id":7,"method":"ping"}x`, mcp.CodeParse, "bytes after the message", "7"},
		{"two messages", `{"jsonrpc":"2.0","id":7,"method":"ping"} {"jsonrpc":"2.0","id":8,"method":"ping"}`, mcp.CodeParse, "bytes after the message", "7"},
		{"NUL after the message", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\x00", mcp.CodeParse, "bytes after the message", "7"},
		{"byte order mark", "\ufeff" + `{"jsonrpc":"2.0","id":7,"method":"ping"}`, mcp.CodeParse, syntax, ""},
		{"empty", ``, mcp.CodeParse, syntax, ""},
		{"white space", " \n", mcp.CodeParse, syntax, ""},
		{"too deep", `{"jsonrpc":"2.0","id":7,"x":` + nested(mcp.MaxDepth) + `}`, mcp.CodeParse, "nested too deep", "7"},
		{"too deep objects", `{"id":7,"x":` + strings.Repeat(`{"x":`, mcp.MaxDepth) + `1` + strings.Repeat(`}`, mcp.MaxDepth) + `}`, mcp.CodeParse, "nested too deep", "7"},
		{"far too deep", strings.Repeat(`{"a":[`, 100_000), mcp.CodeParse, "nested too deep", ""},

		{"batch", `[{"jsonrpc":"2.0","id":7,"method":"ping"}]`, mcp.CodeInvalidRequest, "batches are not accepted", ""},
		{"empty batch", ` []`, mcp.CodeInvalidRequest, "batches are not accepted", ""},
		{"string", `"ping"`, mcp.CodeInvalidRequest, "not a JSON-RPC object", ""},
		{"null", `null`, mcp.CodeInvalidRequest, "not a JSON-RPC object", ""},
		{"broken scalar", `nul`, mcp.CodeParse, syntax, ""},
		{"empty object", `{}`, mcp.CodeInvalidRequest, `jsonrpc must be "2.0"`, ""},

		{"cut after the id", `{"jsonrpc":"2.0","id":7,"method":"too`, mcp.CodeParse, syntax, "7"},
		{"cut after a string id", `{"jsonrpc":"2.0","id":"a\"b","me`, mcp.CodeParse, syntax, `"a\"b"`},
		{"cut in the id", `{"jsonrpc":"2.0","id":7`, mcp.CodeParse, syntax, ""},
		{"cut in a string id", `{"jsonrpc":"2.0","id":"a`, mcp.CodeParse, syntax, ""},
		{"broken before the id", `{"jsonrpc":2.0.0,"id":7}`, mcp.CodeParse, syntax, ""},
		{"broken after a nested id", `{"params":{"id":9},"jsonrpc"`, mcp.CodeParse, syntax, ""},

		{"missing jsonrpc", `{"id":7,"method":"ping"}`, mcp.CodeInvalidRequest, `jsonrpc must be "2.0"`, "7"},
		{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":7,"method":"ping"}`, mcp.CodeInvalidRequest, `jsonrpc must be "2.0"`, "7"},
		{"jsonrpc a number", `{"jsonrpc":2.0,"id":7,"method":"ping"}`, mcp.CodeInvalidRequest, `jsonrpc must be "2.0"`, "7"},
		{"null id", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"fractional id", `{"jsonrpc":"2.0","id":1.0,"method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"id with an exponent", `{"jsonrpc":"2.0","id":1e3,"method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"object id", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"boolean id", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"huge id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 511) + `","method":"ping"}`, mcp.CodeInvalidRequest, "id must be a string or an integer", ""},
		{"method a number", `{"jsonrpc":"2.0","id":7,"method":5}`, mcp.CodeInvalidRequest, "method must be a string", "7"},
		{"method null", `{"jsonrpc":"2.0","id":7,"method":null}`, mcp.CodeInvalidRequest, "method must be a string", "7"},
		{"method empty", `{"jsonrpc":"2.0","id":7,"method":""}`, mcp.CodeInvalidRequest, "method must be a string", "7"},
		{"params an array", `{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}`, mcp.CodeInvalidRequest, "params must be an object", "7"},
		{"params null", `{"jsonrpc":"2.0","id":7,"method":"ping","params":null}`, mcp.CodeInvalidRequest, "params must be an object", "7"},
		{"arguments an array", head + `"arguments":[]` + tail, mcp.CodeInvalidRequest, "params.arguments must be an object", "7"},
		{"name a number", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":5}}`, mcp.CodeInvalidRequest, "the name, uri or taskId of params must be a string", "7"},
		{"uri null", `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":null}}`, mcp.CodeInvalidRequest, "the name, uri or taskId of params must be a string", "7"},
		{"taskId an object", `{"jsonrpc":"2.0","id":7,"method":"tasks/get","params":{"taskId":{}}}`, mcp.CodeInvalidRequest, "the name, uri or taskId of params must be a string", "7"},
		{"ref name a list", `{"jsonrpc":"2.0","id":7,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":[]}}}`, mcp.CodeInvalidRequest, "the name, uri or taskId of params must be a string", "7"},
		{"_meta version a number", head + `"_meta":{"io.modelcontextprotocol/protocolVersion":20260728}` + tail, mcp.CodeInvalidRequest, "the protocol version in params._meta must be a string", "7"},
		{"result and method", `{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}`, mcp.CodeInvalidRequest, "a request must not carry result or error", "7"},
		{"error and method", `{"jsonrpc":"2.0","id":7,"method":"ping","error":null}`, mcp.CodeInvalidRequest, "a request must not carry result or error", "7"},
		{"result and error", `{"jsonrpc":"2.0","id":7,"result":{},"error":{}}`, mcp.CodeInvalidRequest, "a response must carry either result or error", "7"},
		{"neither method nor result", `{"jsonrpc":"2.0","id":7}`, mcp.CodeInvalidRequest, "method is missing", "7"},
		{"response without id", `{"jsonrpc":"2.0","result":{}}`, mcp.CodeInvalidRequest, "a response must carry an id", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := &mcp.Error{Code: tt.code, Reason: tt.reason}
			if tt.id != "" {
				want.ID = []byte(tt.id)
			}
			if diff := cmp.Diff(want, refusal(t, []byte(tt.body), mcp.Header{})); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.ID, mcp.RequestID([]byte(tt.body))); diff != "" {
				t.Errorf("id (-want +got):\n%s", diff)
			}
			checkParse(t, []byte(tt.body), mcp.Header{})
		})
	}
}

func TestParseDepth(t *testing.T) {
	body := `{"jsonrpc":"2.0","id":7,"method":"ping","x":` + nested(mcp.MaxDepth-1) + `}`
	if err := mcp.Parse(new(mcp.Call), []byte(body), mcp.Header{}); err != nil {
		t.Errorf("depth %d: %v", mcp.MaxDepth, err)
	}
}

func TestParseRefusesDuplicatesAmongManyKeys(t *testing.T) {
	for _, n := range []int{1, 2, 31, 32, 33, 34, 35, 64, 1000} {
		for first := range min(n, 40) {
			object := manyKeys(n)
			if err := mcp.Parse(new(mcp.Call), inArguments(object+`}`), mcp.Header{}); err != nil {
				t.Fatalf("%d keys: %v", n, err)
			}
			again := object + `,"` + keyNumber(first) + `":0}`
			want := &mcp.Error{Code: mcp.CodeInvalidRequest, Reason: "duplicate key", ID: []byte("1")}
			if diff := cmp.Diff(want, refusal(t, inArguments(again), mcp.Header{})); diff != "" {
				t.Errorf("key %d of %d again (-want +got):\n%s", first, n, diff)
			}
		}
	}
}

// Nothing of one message may be seen in the next, although scanners are pooled.
func TestParseForgets(t *testing.T) {
	var c mcp.Call
	for range 3 {
		for _, bad := range []string{`{"jsonrpc":"2.0","id":1,"method":"ping","par\u0061ms":{"a":{"\u0062":[`, `{"jsonrpc":"2.0","jsonrpc":"2.0"}`} {
			if err := mcp.Parse(&c, []byte(bad), mcp.Header{}); err == nil {
				t.Fatalf("accepted %s", bad)
			}
		}
		if err := mcp.Parse(&c, []byte(`{"jsonrpc":"2.0","id":2,"method":"ping"}`), mcp.Header{}); err != nil {
			t.Fatal(err)
		}
	}
	want := mcp.Call{Method: "ping", ID: []byte("2"), Action: "mcp:ping", ReadOnly: true}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}
