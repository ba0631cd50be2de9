package mcp_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sark/internal/mcp"
)

// feed reads a reply in pieces of n bytes and reports whether it may pass.
func feed(body string, n int) bool {
	var a mcp.Answer
	for len(body) > 0 {
		piece := body[:min(n, len(body))]
		if !a.Feed([]byte(piece)) {
			return false
		}
		body = body[len(piece):]
	}
	return true
}

// TestAsks: what a reader could take for a request of the server asks, in whatever pieces it comes, and nothing else does.
func TestAsks(t *testing.T) {
	fill := strings.Repeat("method, \"", 100)
	for body, want := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`:                               true,
		`{"id":1,"result":{},"Method":"roots/list"}`:                                   true,
		`{"METHOD":"roots/list","ID":1}`:                                               true,
		`{"m\u0065thod":"roots/list","id":1}`:                                          true,
		`{"id":1,"result":"` + strings.ReplaceAll(fill, `"`, `\"`) + `","method":"x"}`: true,
		"\ufeff \r\n{\"id\":1,\t\"method\" :1}":                                        true,
		`[{"id":1,"result":{}},{"id":2,"method":"roots/list"}]`:                        true,
		`{"id":1,"result":{}}{"id":2,"method":"roots/list"}`:                           true,
		`[1,{"id":2,"method":"roots/list"}]`:                                           true,

		`{"id":1,"result":{"id":1,"method":"roots/list"}}`:              false,
		`{"id":1,"result":"{\"id\":1,\"method\":\"roots/list\"}"}`:      false,
		`{"id":1,"result":"a method \u0065 \\"}`:                        false,
		`{"method":"notifications/a"}` + "\n" + `{"id":1,"result":{}}`:  false,
		`[{"method":"notifications/a"},{"id":1,"result":{"method":1}}]`: false,
		`{"id":1,"result":{"a":1,"a":2,"method":"x"}}`:                  false,
		"method, id, and so on: \\u0065":                                false,
		"\x1f\x8b\x08 method":                                           false,
		"":                                                              false,
	} {
		if got := mcp.Asks([]byte(body)); got != want {
			t.Errorf("Asks(%.80q) = %v", body, got)
		}
		for n := 1; n <= len(body)+1; n++ {
			if got := !feed(body, n); got != want {
				t.Errorf("in pieces of %d, %.80q: %v", n, body, got)
				break
			}
		}
	}
}

// FuzzAnswer holds that no reply passes in which a lenient reader finds a request.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"result":{"method":"a"}}`, 7)
	f.Add(`{"Id":1,"result":"\\\"","m\u0065thod":1}`, 1)
	f.Add("\ufeff{\"a\":[{\"method\":1}],\"method\":\"x\",\"id\":2}", 3)
	f.Fuzz(func(t *testing.T, body string, n int) {
		passes := feed(body, max(n, 1))
		if passes != feed(body, 1) {
			t.Fatalf("%q: the pieces matter", body)
		}
		var lenient struct{ Method, ID *json.RawMessage }
		if json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &lenient) != nil || lenient.Method == nil || lenient.ID == nil {
			return
		}
		if passes || !mcp.Asks([]byte(body)) {
			t.Fatalf("a request passes: %q", body)
		}
	})
}

// TestOddFrames: a line in which somebody may find an event is told; what is ignored by all is not.
func TestOddFrames(t *testing.T) {
	for stream, want := range map[string]bool{
		"event: message\nid: 7\nretry: 5\n: ping é\nvendor-x: \ttab\ndata: {\"a\":\"\u2028data: b\"}\n\n": false,
		"\ufeffdata: a\n\n":     false,
		":\u2028data: a\n\n":    true,
		": \u2029\n\n":          true,
		"id: \u0085\n\n":        true,
		"event: a\vdata: b\n\n": true,
		"retry: 1\fdata: b\n\n": true,
		"x\x1cdata: b\n\n":      true,
		"{\"a\":1}\n\n":         true,
		"data: a\n data: b\n\n": true,
		"data\x00: a\n\n":       true,
	} {
		if fr := firstFrame(t, stream); fr.Odd != want {
			t.Errorf("%q: odd is %v", stream, fr.Odd)
		}
	}
}

// TestContainsKey looks for a key at every place of texts of every length around a word's, and for what only resembles it.
func TestContainsKey(t *testing.T) {
	for before := range 20 {
		for after := range 20 {
			pad, tail := strings.Repeat("m", before), strings.Repeat(`"`, after)
			for text, want := range map[string]bool{
				`"method`: true, `"METHOD`: true, `"mEthoD`: true, `""method`: true, `"m"method`: true,
				`method`: false, `"metho`: false, `"mmethod`: false, `" method`: false, `!method`: false, `#method`: false, `"m#method`: false, `"\rethod`: false,
			} {
				if got := mcp.ContainsKey([]byte(pad+text+tail), "method"); got != want {
					t.Errorf("%q: %v", pad+text+tail, got)
				}
			}
		}
	}
}

func BenchmarkAsks(b *testing.B) {
	body := []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("some more words from me. ", 40) + `"}]}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		mcp.Asks(body)
	}
}

func BenchmarkAnswer(b *testing.B) {
	body := []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("some more words from me. ", 4000) + `"}]}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var a mcp.Answer
		a.Feed(body)
	}
}
