package mcp_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func newMask(t testing.TB, paths, patterns []string) *mcp.Mask {
	t.Helper()
	m, err := mcp.NewMask(paths, patterns)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMaskValue(t *testing.T) {
	const doc = `{"a": {"b" : "x", "c":[1.50, true, null, {"b":"y"}]}, "odd name":"z", "tel":"call 555-1234 or 555-9999"}`
	for name, c := range map[string]struct {
		paths, patterns []string
		want            string
	}{
		"nothing":      {nil, nil, doc},
		"absent":       {[]string{"$.b", "$.a[0]", "$.a.c.b", "$.a.c[9]"}, nil, doc},
		"member":       {[]string{"$.a.b"}, nil, strings.Replace(doc, `"x"`, `"[redacted]"`, 1)},
		"quoted":       {[]string{`$["odd name"]`}, nil, strings.Replace(doc, `"z"`, `"[redacted]"`, 1)},
		"item":         {[]string{"$.a.c[0]"}, nil, strings.Replace(doc, `1.50`, `0`, 1)},
		"all members":  {[]string{"$.a.*"}, nil, `{"a": {"b" : "[redacted]", "c":[0, false, null, {"b":"[redacted]"}]}, "odd name":"z", "tel":"call 555-1234 or 555-9999"}`},
		"whole shapes": {[]string{"$.a.c"}, nil, strings.Replace(doc, `[1.50, true, null, {"b":"y"}]`, `[0, false, null, {"b":"[redacted]"}]`, 1)},
		"any depth":    {[]string{"$..b"}, nil, strings.NewReplacer(`"x"`, `"[redacted]"`, `"y"`, `"[redacted]"`).Replace(doc)},
		"all items":    {[]string{"$.a.c[*].b"}, nil, strings.Replace(doc, `"y"`, `"[redacted]"`, 1)},
		"pattern":      {nil, []string{`\d{3}-\d{4}`}, strings.NewReplacer("555-1234", "[redacted]", "555-9999", "[redacted]").Replace(doc)},
		"a number":     {nil, []string{`^1\.5`}, strings.Replace(doc, `1.50`, `0`, 1)},
	} {
		out, err := newMask(t, c.paths, c.patterns).Value([]byte(doc))
		if diff := cmp.Diff(c.want, string(out)); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestMaskReply(t *testing.T) {
	const rpc = `{"jsonrpc":"2.0","id":1,"result":`
	for name, c := range map[string]struct{ paths, patterns, message, want string }{
		"both forms of a result": {
			"$.ssn", "", rpc + `{"content":[{"type":"text","text":"{\"ssn\": \"1\", \"n\":2}"}],"structuredContent":{"ssn":"1","n":2}}}`,
			rpc + `{"content":[{"type":"text","text":"{\"ssn\": \"[redacted]\", \"n\":2}"}],"structuredContent":{"ssn":"[redacted]","n":2}}}`,
		},
		"a text without fields":  {"$.ssn", "", rpc + `{"content":[{"text":"ssn 1"}]}}`, rpc + `{"content":[{"text":"[redacted]"}]}}`},
		"a text under a pattern": {"", `\d+`, rpc + `{"content":[{"text":"ssn 12"}]}}`, rpc + `{"content":[{"text":"ssn [redacted]"}]}}`},
		"an escaped secret":      {"", `key`, rpc + `{"content":[{"text":"{\"a\":\"k\\u0065y\"}"}]}}`, rpc + `{"content":[{"text":"{\"a\":\"[redacted]\"}"}]}}`},
		"binary content":         {"$.x", "", rpc + `{"content":[{"type":"image","data":"aGk="}]}}`, rpc + `{"content":[{"type":"image","data":""}]}}`},
		"a resource":             {"$.x", "", rpc + `{"contents":[{"uri":"u","text":"[{\"x\":1}]"},{"blob":"aGk="}]}}`, rpc + `{"contents":[{"uri":"u","text":"[{\"x\":1}]"},{"blob":""}]}}`},
		"a prompt":               {"$.x", "", rpc + `{"messages":[{"role":"user","content":{"type":"text","text":"{\"x\":1}"}}]}}`, rpc + `{"messages":[{"role":"user","content":{"type":"text","text":"{\"x\":0}"}}]}}`},
		"an error":               {"$.x", "boom", `{"id":1,"error":{"code":1,"message":"boom","data":{"x":"y"}}}`, `{"id":1,"error":{"code":1,"message":"[redacted]","data":{"x":"[redacted]"}}}`},
		"a notification":         {"$.x", "", `{"method":"notifications/message","params":{"data":{"x":1}}}`, `{"method":"notifications/message","params":{"data":{"x":0}}}`},
		"nothing to mask":        {"$.x", "", rpc + `{"content":[],"structuredContent":{"y":1e400}}}`, rpc + `{"content":[],"structuredContent":{"y":1e400}}}`},
	} {
		out, err := newMask(t, texts(c.paths), texts(c.patterns)).Reply([]byte(c.message))
		if diff := cmp.Diff(c.want, string(out)); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func texts(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func TestMaskRefusesWhatTwoReadersCouldUnderstandDifferently(t *testing.T) {
	m := newMask(t, []string{"$.ssn"}, nil)
	for _, message := range []string{
		``, `[]`, `null`, `{"id":1,"result":{}} x`, `{"result":{"structuredContent":{"ssn":1,"ssn":2}}}`, `{"Result":{"structuredContent":{"ssn":1}}}`,
		`{"result":{"StructuredContent":{"ssn":1}}}`, `{"result":{"structuredContent":{"ssn":1}`, "{\"result\":{\"text\":\"\xff\"}}",
	} {
		if out, err := m.Reply([]byte(message)); err == nil {
			t.Errorf("%s was understood as %s", message, out)
		}
	}
}

func TestMaskArguments(t *testing.T) {
	m := newMask(t, []string{"$.card"}, []string{"secret-[a-z]+"})
	const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret-tool","arguments":{"card":4111,"note":"a secret-word"},"_meta":{"card":1}}}`
	out, gone, err := m.Arguments([]byte(message))
	want := strings.NewReplacer("4111", "0", "secret-word", "[redacted]").Replace(message)
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"4111", "a secret-word"}, gone); diff != "" {
		t.Errorf("texts taken out (-want +got):\n%s", diff)
	}
	if !m.Names([]byte("CARD")) || m.Names([]byte("note")) {
		t.Error("Names does not know the last names of paths")
	}
}

func TestMaskOfNonsense(t *testing.T) {
	for _, path := range []string{"", "$", "ssn", "$ssn", "$.", "$..", "$.a..", "$[", "$[]", "$[-1]", "$[+1]", "$['a']", `$["a`, `$["a"`, "$.a]", "$.a b", "$.a[?(@.b)]", "/a"} {
		if _, err := mcp.NewMask([]string{path}, nil); err == nil {
			t.Errorf("path %q was taken", path)
		}
	}
	for _, pattern := range []string{"", "(", "a*", "(?P<n"} {
		if _, err := mcp.NewMask(nil, []string{pattern}); err == nil {
			t.Errorf("pattern %q was taken", pattern)
		}
	}
}

// FuzzMask checks that what was masked is a message still, of the same shape, and that masking it again changes nothing.
func FuzzMask(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"ssn\":\"12\"}"}],"structuredContent":{"ssn":[1,"x",{"a":true}]}}}`)
	f.Add(`{"id":1,"error":{"code":1,"message":"7","data":"ssn"}}`)
	f.Fuzz(func(t *testing.T, message string) {
		m := newMask(t, []string{"$..ssn", "$.list[0].*"}, []string{`[4-9]{2}`})
		out, err := m.Reply([]byte(message))
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s became %s", message, out)
		}
		again, err := m.Reply(out)
		if err != nil || string(again) != string(out) {
			t.Fatalf("%s became %s and then %s, error %v", message, out, again, err)
		}
		var doc struct {
			Result struct {
				StructuredContent map[string]any `json:"structuredContent"`
			} `json:"result"`
		}
		if json.Unmarshal(out, &doc) == nil {
			if s, ok := doc.Result.StructuredContent["ssn"].(string); ok && s != mcp.Masked {
				t.Fatalf("%s left %q", message, s)
			}
		}
	})
}
