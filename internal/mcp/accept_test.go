package mcp_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// modernMeta is the least _meta of a modern request, and modern the headers that belong to it.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func modern(method, name string) mcp.Header {
	h := mcp.Header{ProtocolVersion: []byte("2026-07-28"), Method: []byte(method)}
	if name != "" {
		h.Name = []byte(name)
	}
	return h
}

// legacyCall is the Call of a legacy tools/call with id 1, with the parts that a case is about.
func legacyCall(name, params, arguments string) mcp.Call {
	c := mcp.Call{
		Method: "tools/call", ID: []byte("1"), Action: "tool:invoke", ResourceType: "tool", Name: name, Params: []byte(params),
	}
	if arguments != "" {
		c.Arguments = []byte(arguments)
	}
	return c
}

func TestParseAccepts(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		header mcp.Header
		want   mcp.Call
	}{
		{
			name: "legacy call",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1}}}`,
			want: legacyCall("a", `{"name":"a","arguments":{"x":1}}`, `{"x":1}`),
		},
		{
			name: "white space everywhere",
			body: " \t\r\n{ \"jsonrpc\" : \"2.0\" ,\n\"id\" : 1 , \"method\" : \"tools/call\" ,\r\"params\" : { \"name\" : \"a\" } } \n",
			want: legacyCall("a", `{ "name" : "a" }`, ""),
		},
		{
			name: "escaped key and values",
			body: `{"jsonrpc":"2.0","id":1,"meth\u006fd":"tools\/call","params":{"n\u0061me":"\u0061\ud83d\ude00\n"}}`,
			want: legacyCall("a😀\n", `{"n\u0061me":"\u0061\ud83d\ude00\n"}`, ""),
		},
		{
			name: "null arguments count as none",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}`,
			want: legacyCall("a", `{"name":"a","arguments":null}`, ""),
		},
		{
			name: "unknown members, and known ones where they mean nothing",
			body: `{"jsonrpc":"2.0","id":1,"x":{"id":9,"Method":"y"},"method":"tools/call","params":{"name":"a","X":1,"uri":2,"taskId":3}}`,
			want: func() mcp.Call {
				c := legacyCall("a", `{"name":"a","X":1,"uri":2,"taskId":3}`, "")
				c.Extra = true
				return c
			}(),
		},
		{
			name: "arguments may hold any key once",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"b","Name":"c","a":{"a":{"a":[{"a":1},{"a":2}]}}},"name":"a"}}`,
			want: legacyCall("a", `{"arguments":{"name":"b","Name":"c","a":{"a":{"a":[{"a":1},{"a":2}]}}},"name":"a"}`,
				`{"name":"b","Name":"c","a":{"a":{"a":[{"a":1},{"a":2}]}}}`),
		},
		{
			name: "empty name",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}`,
			want: legacyCall("", `{"name":""}`, ""),
		},
		{
			name:   "modern call",
			body:   `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"a",` + modernMeta + `}}`,
			header: modern("tools/call", "a"),
			want: mcp.Call{
				Era: mcp.Modern, Method: "tools/call", ID: []byte(`"x"`), Action: "tool:invoke", ResourceType: "tool", Name: "a",
				Params: []byte(`{"name":"a",` + modernMeta + `}`), Meta: []byte(modernMeta[len(`"_meta":`):]),
				ProtocolVersion: "2026-07-28", ClientCapabilities: []byte(`{}`),
			},
		},
		{
			name:   "version from the header",
			body:   `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
			header: mcp.Header{ProtocolVersion: []byte("2025-11-25")},
			want: mcp.Call{
				Method: "ping", ID: []byte("1"), Action: "mcp:ping", ReadOnly: true, ProtocolVersion: "2025-11-25",
			},
		},
		{
			name: "progress token streams",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":7}}}`,
			want: mcp.Call{
				Method: "tools/list", ID: []byte("1"), Action: "tool:list", ReadOnly: true, Streams: true,
				Params: []byte(`{"_meta":{"progressToken":7}}`), Meta: []byte(`{"progressToken":7}`),
			},
		},
		{
			name: "log level streams",
			body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}}`,
			want: mcp.Call{
				Method: "ping", ID: []byte("1"), Action: "mcp:ping", ReadOnly: true, Streams: true,
				Params: []byte(`{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}`),
				Meta:   []byte(`{"io.modelcontextprotocol/logLevel":"info"}`),
			},
		},
		{
			name: "answered input request streams",
			body: `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"f:/a","inputResponses":{}}}`,
			want: mcp.Call{
				Method: "resources/read", ID: []byte("1"), Action: "resource:read", ResourceType: "resource", URI: "f:/a",
				ReadOnly: true, Streams: true, Params: []byte(`{"uri":"f:/a","inputResponses":{}}`),
			},
		},
		{
			name: "request state streams",
			body: `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"requestState":"s","name":"p"}}`,
			want: mcp.Call{
				Method: "prompts/get", ID: []byte("1"), Action: "prompt:get", ResourceType: "prompt", Name: "p",
				ReadOnly: true, Streams: true, Params: []byte(`{"requestState":"s","name":"p"}`),
			},
		},
		{
			name: "completion of a prompt ignores a uri",
			body: `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"uri":"f:/open","type":"ref/prompt","name":"p"}}}`,
			want: mcp.Call{
				Method: "completion/complete", ID: []byte("1"), Action: "completion:get", ResourceType: "prompt", Name: "p",
				ReadOnly: true, Params: []byte(`{"ref":{"uri":"f:/open","type":"ref/prompt","name":"p"}}`),
			},
		},
		{
			name: "completion of a resource ignores a name",
			body: `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"open","type":"ref\/resource","uri":"f:/{x}"}}}`,
			want: mcp.Call{
				Method: "completion/complete", ID: []byte("1"), Action: "completion:get", ResourceType: "resource", URI: "f:/{x}",
				ReadOnly: true, Params: []byte(`{"ref":{"name":"open","type":"ref\/resource","uri":"f:/{x}"}}`),
			},
		},
		{
			name: "completion of an unknown kind shows both",
			body: `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":"n","type":"ref/tool","uri":"u"}}}`,
			want: mcp.Call{
				Method: "completion/complete", ID: []byte("1"), Action: "completion:get", Name: "n", URI: "u",
				ReadOnly: true, Params: []byte(`{"ref":{"name":"n","type":"ref/tool","uri":"u"}}`),
			},
		},
		{
			name: "unknown method",
			body: `{"jsonrpc":"2.0","id":1,"method":"acme/\"x\"","params":{"name":"n","uri":5}}`,
			want: mcp.Call{
				Method: `acme/"x"`, ID: []byte("1"), Action: `mcp:acme/"x"`, Name: "n", Params: []byte(`{"name":"n","uri":5}`),
			},
		},
		{
			name: "known method without an object ignores a name",
			body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"n","uri":"u","cursor":"c"}}`,
			want: mcp.Call{
				Method: "tools/list", ID: []byte("1"), Action: "tool:list", ReadOnly: true,
				Params: []byte(`{"name":"n","uri":"u","cursor":"c"}`),
			},
		},
		{
			name: "method that is called like the action of a response",
			body: `{"jsonrpc":"2.0","id":1,"method":"response"}`,
			want: mcp.Call{Method: "response", ID: []byte("1"), Action: "mcp:method/response"},
		},
		{
			name: "notification",
			body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`,
			want: mcp.Call{
				Kind: mcp.Notification, Method: "notifications/cancelled", Action: "mcp:notifications/cancelled", ReadOnly: true,
				Params: []byte(`{"requestId":3}`),
			},
		},
		{
			name:   "modern notification needs no Mcp-Method",
			body:   `{"jsonrpc":"2.0","method":"notifications/x"}`,
			header: mcp.Header{ProtocolVersion: []byte("2026-07-28")},
			want: mcp.Call{
				Kind: mcp.Notification, Era: mcp.Modern, Method: "notifications/x", Action: "mcp:notifications/x",
				ProtocolVersion: "2026-07-28",
			},
		},
		{
			name: "response",
			body: `{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`,
			want: mcp.Call{Kind: mcp.Response, ID: []byte("1"), Action: "mcp:response", ReadOnly: true},
		},
		{
			name: "error response",
			body: `{"jsonrpc":"2.0","id":"s-1","error":{"code":-1,"message":"no"}}`,
			want: mcp.Call{Kind: mcp.Response, ID: []byte(`"s-1"`), Action: "mcp:response", ReadOnly: true},
		},
		{
			name: "negative id",
			body: `{"jsonrpc":"2.0","id":-12,"method":"ping"}`,
			want: mcp.Call{Method: "ping", ID: []byte("-12"), Action: "mcp:ping", ReadOnly: true},
		},
		{
			name: "id beyond 64 bits keeps its digits",
			body: `{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}`,
			want: mcp.Call{
				Method: "ping", ID: []byte("123456789012345678901234567890"), Action: "mcp:ping", ReadOnly: true,
			},
		},
		{
			name: "escaped id keeps its bytes",
			body: `{"jsonrpc":"2.0","id":"\u0061\\","method":"ping"}`,
			want: mcp.Call{Method: "ping", ID: []byte(`"\u0061\\"`), Action: "mcp:ping", ReadOnly: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mcp.Call{Name: "left over", Streams: true, Meta: []byte("x")}
			if err := mcp.Parse(&got, []byte(tt.body), tt.header); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
		})
	}
}

// inArguments puts a value into the arguments of a valid call.
func inArguments(value string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"v":` + value + `}}}`)
}

func TestParseGrammar(t *testing.T) {
	accepted := []string{
		`0`, `-0`, `10`, `1.5`, `-1.25e10`, `1E+2`, `0e0`, `0.0E-0`, `1e999999`,
		`true`, `false`, `null`, `[]`, `{}`, `[1 , 2]`, `[[],{}]`, `""`, `"\"\\\/\b\f\n\r\t"`, "\"\u007f\u2028\"", `"é漢😀"`,
		`"\ud834\udd1e"`, `"\uD834\uDD1E"`, `"\\ud800"`, `"\u0000"`, `{"":1}`, `{"a":1,"A":2}`, `{"\ud834\udd1e":1}`,
		`{"\u0061":{"\u0063":1},"\u0062":2}`,
	}
	refused := []string{
		``, `01`, `-01`, `+1`, `.5`, `5.`, `-`, `1e`, `1e+`, `1.e1`, `0x1`, `1_0`, `NaN`, `Infinity`, `-Infinity`, `--1`,
		`True`, `nul`, `nulll`, `undefined`, `'a'`, `a`, `[1,]`, `[,1]`, `[1 2]`, `{,}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:1}`,
		`{"a" 1}`, `{"a":1 "b":2}`, `[1}`, `{"a":1]`, `[`, `"`, `"\x41"`, `"\u12"`, `"\u12g4"`, `"\U0041"`, "\"\t\"", "\"a\nb\"", "\"\x00\"", "\"\x1f\"",
		"\v1", "\u00a01", "\ufeff1", `1/**/`, `//x`, "\x00",
	}
	for _, value := range accepted {
		if err := mcp.Parse(new(mcp.Call), inArguments(value), mcp.Header{}); err != nil {
			t.Errorf("%s: %v", value, err)
		}
		checkParse(t, inArguments(value), mcp.Header{})
	}
	for _, value := range refused {
		want := &mcp.Error{Code: mcp.CodeParse, Reason: "invalid JSON", ID: []byte("1")}
		if diff := cmp.Diff(want, refusal(t, inArguments(value), mcp.Header{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
		checkParse(t, inArguments(value), mcp.Header{})
	}
}

// Strings are read eight bytes at a time: every byte must be judged the same at every place.
func TestParseEveryByteAtEveryPlace(t *testing.T) {
	const text = "0123456789abcdefghijklm"
	for b := range 256 {
		for at := range len(text) {
			value := `"` + text[:at] + string([]byte{byte(b)}) + text[at:] + `"`
			body := inArguments(value)
			want := json.Valid(body) && utf8.Valid(body)
			if got := mcp.Parse(new(mcp.Call), body, mcp.Header{}) == nil; got != want {
				t.Errorf("%q: accepted %v, want %v", value, got, want)
			}
		}
	}
}
