package cachemw_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"sark/cachemw"
)

// request is a question and who may share its answer.
type request struct {
	cachemw.KeyParts
	Scope cachemw.Scope
}

// key returns the key under which the answer is stored.
func (r request) key() cachemw.Key {
	private, public := cachemw.NewKeys(r.KeyParts)
	if r.Scope == cachemw.Public {
		return public
	}
	return private
}

// base is a usual request.
func base() request {
	return request{cachemw.KeyParts{
		Partition: []byte("partition"), Server: "github", Method: "tools/list",
		Params: []byte(`{"cursor":"1"}`), Accept: "application/json", ProtocolVersion: "2026-07-28",
		Capabilities: []byte(`{"roots":{}}`),
	}, cachemw.Private}
}

func TestKeyDependsOnEveryPart(t *testing.T) {
	seen := map[cachemw.Key]string{}
	for name, change := range map[string]func(*request){
		"unchanged":        func(*request) {},
		"scope":            func(p *request) { p.Scope = cachemw.Public },
		"partition":        func(p *request) { p.Partition = []byte("other") },
		"server":           func(p *request) { p.Server = "gitlab" },
		"generation":       func(p *request) { p.Generation = 1 },
		"route":            func(p *request) { p.Route = "servers.list" },
		"method":           func(p *request) { p.Method = "prompts/list" },
		"params":           func(p *request) { p.Params = []byte(`{"cursor":"2"}`) },
		"no params":        func(p *request) { p.Params = nil },
		"params a string":  func(p *request) { p.Params = []byte(`"{}"`) },
		"params broken":    func(p *request) { p.Params = []byte(`{"cursor":"1"`) },
		"query":            func(p *request) { p.Query = []byte("a=1") },
		"empty parameter":  func(p *request) { p.Query = []byte("&") },
		"selected":         func(p *request) { p.Selected = []byte("de") },
		"accept":           func(p *request) { p.Accept = "text/plain" },
		"protocol version": func(p *request) { p.ProtocolVersion = "2025-11-25" },
		"capabilities":     func(p *request) { p.Capabilities = nil },
		"no capability":    func(p *request) { p.Capabilities = []byte(`{}`) },
		"moved over":       func(p *request) { p.Server, p.Method = "githubtools", "/list" },
		"moved into route": func(p *request) { p.Route, p.Method = p.Method, "" },
	} {
		p := base()
		change(&p)
		k := p.key()
		if other, taken := seen[k]; taken {
			t.Errorf("%q and %q have one key", name, other)
		}
		seen[k] = name
	}
	if n := reflect.TypeFor[cachemw.KeyParts]().NumField(); n != 11 {
		t.Errorf("KeyParts has %d fields: does this test change each?", n)
	}
}

func TestSameQuestionSameKey(t *testing.T) {
	want := base().key()
	for name, change := range map[string]func(*request){
		"space":            func(p *request) { p.Params = []byte("\n{ \"cursor\"\t: \"1\" }\r\n") },
		"escapes":          func(p *request) { p.Params = []byte(`{"\u0063ursor":"\u0031"}`) },
		"capability space": func(p *request) { p.Capabilities = []byte(`{"roots" : {} }`) },
	} {
		p := base()
		change(&p)
		if p.key() != want {
			t.Errorf("%s: another key", name)
		}
	}
}

// TestParams tells which params ask the same question.
func TestParams(t *testing.T) {
	meta := func(members string) string { return `{"_meta":{` + members + `},"cursor":"1"}` }
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"absent and empty", ``, `{}`, true},
		{"absent and null", ``, `null`, false},
		{"order of members", `{"a":1,"b":[{"c":1,"d":2}]}`, `{"b":[{"d":2,"c":1}],"a":1}`, true},
		{"order of elements", `[1,2]`, `[2,1]`, false},
		{"escaped solidus", `{"a":"/"}`, `{"a":"\/"}`, true},
		{"surrogate pair", `{"a":"😀"}`, `{"a":"\ud83d\ude00"}`, true},
		{"surrogate pair in capitals", `{"a":"\uD83D\uDE00"}`, `{"a":"\ud83d\ude00"}`, true},
		{"lone surrogates", `{"a":"\ud83d"}`, `{"a":"\ud83e"}`, false},
		{"lone surrogate and its replacement", `{"a":"\ud83d"}`, `{"a":"\ufffd"}`, false},
		{"control character", `{"a":"\n"}`, `{"a":"\u000a"}`, true},
		{"quote", `{"a":"\""}`, `{"a":"\u0022"}`, true},
		{"backslash and n", `{"a":"\\n"}`, `{"a":"\n"}`, false},
		{"composed and decomposed", `{"a":"é"}`, `{"a":"e\u0301"}`, false},
		{"case of a key", `{"a":1}`, `{"A":1}`, false},
		{"integers beyond a float", `{"a":9007199254740992}`, `{"a":9007199254740993}`, false},
		{"number and string", `{"a":1}`, `{"a":"1"}`, false},
		{"null and absent", `{"a":null}`, `{}`, false},
		{"duplicate keys, first", `{"a":1,"a":2}`, `{"a":1}`, false},
		{"duplicate keys, last", `{"a":1,"a":2}`, `{"a":2}`, false},
		{"duplicate keys, order", `{"a":1,"a":2}`, `{"a":2,"a":1}`, false},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, `{"a":1}`, false},
		{"separators in a value", `{"a":"1,\"b\":2"}`, `{"a":"1","b":2}`, false},
		{"nested and flat", `{"a":{"b":1}}`, `{"a":{},"b":1}`, false},
		{"array and object", `{"a":[]}`, `{"a":{}}`, false},
		{"depth", `[[]]`, `[[[]]]`, false},
		{"trailing comma", `{"a":1,}`, `{"a":1}`, false},
		{"trailing bytes", `{"a":1}`, `{"a":1}{}`, false},

		{"progress token", meta(`"progressToken":1`), meta(`"progressToken":2`), true},
		{"progress token, none", meta(`"progressToken":1`), meta(``), true},
		{"trace", meta(`"traceparent":"1","tracestate":"2","baggage":"3"`), meta(``), true},
		{"client info", meta(`"io.modelcontextprotocol/clientInfo":{"name":"a"}`), meta(``), true},
		{"log level", meta(`"io.modelcontextprotocol\/logLevel":"debug"`), meta(``), true},
		{"client capabilities", meta(`"io.modelcontextprotocol/clientCapabilities":{"roots":{}}`), meta(``), false},
		{"protocol version", meta(`"io.modelcontextprotocol/protocolVersion":"2026-07-28"`), meta(``), false},
		{"unknown key", meta(`"example.com/tenant":"a"`), meta(`"example.com/tenant":"b"`), false},
		{"progress token elsewhere", `{"progressToken":1}`, `{"progressToken":2}`, false},
		{"_meta elsewhere", `{"a":{"_meta":{"progressToken":1}}}`, `{"a":{"_meta":{"progressToken":2}}}`, false},
		{"inside _meta", meta(`"x":{"progressToken":1}`), meta(`"x":{"progressToken":2}`), false},
		{"_meta in _meta", meta(`"_meta":{"progressToken":1}`), meta(`"_meta":{"progressToken":2}`), false},
		{"_meta an array", `{"_meta":["progressToken",1]}`, `{"_meta":["progressToken",2]}`, false},
		{"_meta by escape", `{"\u005fmeta":{"progressToken":1}}`, `{"_meta":{"progressToken":2}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := base(), base()
			a.Params, b.Params = []byte(c.a), []byte(c.b)
			if same := a.key() == b.key(); same != c.same {
				t.Errorf("%s and %s: same key %v, want %v", c.a, c.b, same, c.same)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"a=1&b=2", "a=1&b=2", true},
		{"a=1&b=2", "b=2&a=1", false},
		{"x=1&%78=2", "%78=2&x=1", false}, // one name, whose first or last value counts
		{"id=1&ID=2", "ID=2&id=1", false}, // where case does not count
		{"a.b=1&a_b=2", "a_b=2&a.b=1", false},
		{"a=1&a=2", "a=2&a=1", false},
		{"a=1", "a=1&", false},
		{"a=1", "a=1&a=1", false},
		{"a", "a=", false},
		{"a=A", "a=%41", false},
		{"a=1%26b=2", "a=1&b=2", false},
		{"", "&", false},
	} {
		a, b := base(), base()
		a.Query, b.Query = []byte(c.a), []byte(c.b)
		if same := a.key() == b.key(); same != c.same {
			t.Errorf("%q and %q: same key %v, want %v", c.a, c.b, same, c.same)
		}
	}
}

func TestPublicKeysHaveNoPartition(t *testing.T) {
	a, b := base(), base()
	a.Scope, b.Scope = cachemw.Public, cachemw.Public
	b.Partition = []byte("other")
	if a.key() != b.key() {
		t.Error("a public key depends on the partition")
	}
}

func TestKeysNeedAPartition(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("keys without a partition were made")
		}
	}()
	p := base()
	p.Partition = nil
	p.key()
}

// question is a plain and slow statement of what a request asks: what two requests with one key must have in common.
func question(p request) string {
	partition := string(p.Partition)
	if p.Scope == cachemw.Public {
		partition = "public"
	}
	return fmt.Sprintf("%q", []string{
		partition, p.Server, strconv.FormatUint(p.Generation, 10), p.Route, p.Method, meaning(p.Params, true), string(p.Query),
		string(p.Selected), p.Accept, p.ProtocolVersion, meaning(p.Capabilities, false),
	})
}

// meaning decodes JSON with the standard library, which sorts members and keeps numbers.
func meaning(doc []byte, params bool) string {
	if len(bytes.Trim(doc, " \t\r\n")) == 0 {
		if params {
			return "{}"
		}
		return ""
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "raw " + string(doc)
	}
	if o, ok := v.(map[string]any); ok && params {
		if m, ok := o["_meta"].(map[string]any); ok {
			for _, k := range []string{"progressToken", "traceparent", "io.modelcontextprotocol/clientInfo"} {
				delete(m, k)
			}
		}
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// words are values that try to pose as something else.
var words = []string{
	"", "a", "b", "ab", "|", "a|b", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x01a", "p", "P", "c", "r", "&", "=", "private", "public",
}

// randomJSON writes a small value with random spelling.
func randomJSON(r *rand.Rand, depth int) string {
	spaces := []string{"", "", " ", "\n\t"}
	s := func() string { return spaces[r.IntN(len(spaces))] }
	keys := []string{`"a"`, `"\u0061"`, `"b"`, `"_meta"`, `"progressToken"`, `"traceparent"`, `"io.modelcontextprotocol/clientInfo"`}
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch r.IntN(kinds) {
	case 0:
		return []string{"0", "1", "1.0", "-1e2"}[r.IntN(4)]
	case 1:
		return []string{`"a"`, `"\u0061"`, `"b\\"`, `"\",\"b\":1"`}[r.IntN(4)]
	case 2:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 3:
		return []string{"{}", "[]", `{"_meta":{"progressToken":1}}`, `{"_meta":{}}`}[r.IntN(4)]
	case 4:
		var parts []string
		for range r.IntN(3) {
			parts = append(parts, s()+randomJSON(r, depth-1)+s())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	var parts []string
	used := map[string]bool{}
	for range r.IntN(4) {
		k := keys[r.IntN(len(keys))]
		if decoded, _ := strconv.Unquote(k); !used[decoded] {
			used[decoded] = true
			parts = append(parts, s()+k+s()+":"+s()+randomJSON(r, depth-1))
		}
	}
	return "{" + strings.Join(parts, ",") + s() + "}"
}

// TestEqualKeysMeanEqualQuestions makes many random requests out of few values, so that many are the same question and
// many nearly so, and compares keys with questions both ways.
func TestEqualKeysMeanEqualQuestions(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	word := func() string { return words[r.IntN(len(words))] }
	byKey, byQuestion := map[cachemw.Key]string{}, map[string]cachemw.Key{}
	repeated := 0
	for range 60_000 {
		p := request{cachemw.KeyParts{Partition: []byte("x"), Server: "s"}, cachemw.Private}
		for range 3 {
			switch r.IntN(9) {
			case 0:
				p.Scope = []cachemw.Scope{cachemw.Private, cachemw.Public}[r.IntN(2)]
			case 1:
				p.Partition = []byte("x" + word())
			case 2:
				p.Server = word()
			case 3:
				p.Route, p.Method = word(), word()
			case 4:
				p.Params = []byte(randomJSON(r, 2))
			case 5:
				p.Query = []byte([]string{"a=1", "b=2", "a=1&b=2", "b=2&a=1", "a=2&a=1", "a=1&a=2", "&", "a"}[r.IntN(8)])
			case 6:
				p.Accept, p.ProtocolVersion = word(), word()
			case 7:
				p.Capabilities = []byte(randomJSON(r, 1))
			case 8:
				p.Generation = r.Uint64N(3)
			}
		}
		key, q := p.key(), question(p)
		if other, ok := byKey[key]; ok && other != q {
			t.Fatalf("one key for two questions:\n%s\n%s", other, q)
		}
		if other, ok := byQuestion[q]; ok {
			repeated++
			if other != key {
				t.Fatalf("two keys for one question: %s", q)
			}
		}
		byKey[key], byQuestion[q] = q, key
	}
	if repeated < 1000 {
		t.Errorf("only %d requests asked a question again: the test shows little", repeated)
	}
}

func TestLargeAndDeepParams(t *testing.T) {
	for name, doc := range map[string]string{
		"deep":       strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"deep, open": strings.Repeat("[", 1<<20),
		"large":      `{"a":"` + strings.Repeat("x", 1<<20) + `"}`,
		"wide":       `{"a":[` + strings.Repeat("1,", 1<<19) + "1]}",
	} {
		a, b := base(), base()
		a.Params, b.Params = []byte(doc), []byte(doc+" ")
		if first, second := a.key(), a.key(); first != second {
			t.Errorf("%s: two keys for the same bytes", name)
		}
		if a.key() == b.key() {
			t.Errorf("%s: one key for two documents that are too large to compare", name)
		}
	}
}

// usual is a tools/list of the modern era as an SDK sends it.
func usual() request {
	p := base()
	p.Partition = bytes.Repeat([]byte{7}, 32)
	p.Query = []byte("limit=50&cursor=abc")
	p.Params = []byte(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":` +
		`{"name":"client","version":"1.8.0"},"io.modelcontextprotocol/clientCapabilities":{"roots":{"listChanged":true},` +
		`"sampling":{},"elicitation":{"form":{}}},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},` +
		`"cursor":"eyJvZmZzZXQiOjUwfQ=="}`)
	return p
}

func BenchmarkNewKeys(b *testing.B) {
	p := usual()
	b.ReportAllocs()
	for b.Loop() {
		cachemw.NewKeys(p.KeyParts)
	}
}

func FuzzNewKeys(f *testing.F) {
	f.Add([]byte(`{"cursor":"1"}`), []byte(`{ "cursor" : "\u0031" }`))
	f.Add([]byte(`{"_meta":{"progressToken":1}}`), []byte(`{"_meta":{}}`))
	f.Add([]byte(`{"a":1,"a":2}`), []byte(`{"a":2}`))
	f.Add([]byte(`{"a":"\ud800"}`), []byte(`{"a":"\ufffd"}`))
	f.Add([]byte(`[[[[`), []byte(`[1,2`))
	f.Add([]byte(``), []byte(`{}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p, q := base(), base()
		p.Capabilities, q.Capabilities = a, b
		if p.key() == q.key() && !bytes.Equal(a, b) && meaning(a, false) != meaning(b, false) {
			t.Errorf("one key for %q and %q", a, b)
		}
		p, q = base(), base()
		p.Params, q.Params = a, b
		if first, second := p.key(), p.key(); first != second {
			t.Errorf("two keys for %q", a)
		}
		q.key()
	})
}
