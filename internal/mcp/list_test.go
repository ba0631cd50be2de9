package mcp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func TestFilterList(t *testing.T) {
	tests := []struct {
		name, message, want string // the items called no… go
		counts              mcp.Filtered
	}{
		{
			"nothing to remove", `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}, {"name":"b"}]}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}, {"name":"b"}]}}`,
			mcp.Filtered{Items: 2, Kept: 2},
		},
		{
			"first", `{"result":{"tools":[{"name":"no"}, {"name":"a"}, {"name":"b"}]}}`,
			`{"result":{"tools":[{"name":"a"}, {"name":"b"}]}}`,
			mcp.Filtered{Items: 3, Kept: 2},
		},
		{
			"middle", `{"result":{"tools":[{"name":"a"} , {"name":"no"}  , {"name":"b"}]}}`,
			`{"result":{"tools":[{"name":"a"}  , {"name":"b"}]}}`,
			mcp.Filtered{Items: 3, Kept: 2},
		},
		{
			"last", `{"result":{"tools":[{"name":"a"}, {"name":"no"} ]}}`,
			`{"result":{"tools":[{"name":"a"} ]}}`,
			mcp.Filtered{Items: 2, Kept: 1},
		},
		{
			"runs at both ends", `{"result":{"tools":[{"name":"no1"},{"name":"no2"},{"name":"a"},{"name":"no3"},{"name":"b"},{"name":"no4"},{"name":"no5"}]}}`,
			`{"result":{"tools":[{"name":"a"},{"name":"b"}]}}`,
			mcp.Filtered{Items: 7, Kept: 2},
		},
		{
			"all", `{"result":{"tools":[ {"name":"no"} , {"name":"no"} ],"nextCursor":"x"}}`,
			`{"result":{"tools":[  ],"nextCursor":"x"}}`,
			mcp.Filtered{Items: 2},
		},
		{
			"empty list", `{"result":{"tools":[ ]}}`, `{"result":{"tools":[ ]}}`, mcp.Filtered{},
		},
		{
			"unicode and escapes", `{"result":{"prompts":[{"name":"n\u006f"},{"name":"ñö😀"},{"name":"n\u006fö"},{"n\u0061me":"no"},{"name":"\"x\\"}]}}`,
			`{"result":{"prompts":[{"name":"ñö😀"},{"name":"\"x\\"}]}}`,
			mcp.Filtered{Items: 5, Kept: 2},
		},
		{
			"items that cannot be identified", `{"result":{"tools":[{"title":"a"},{"name":1},{"name":null},"a",null,["name"],{},{"Name":"a"},{"name":"a","Name":"no"},{"NAME":"b","name":"a"},{"name":"a"}]}}`,
			`{"result":{"tools":[{"name":"a"}]}}`,
			mcp.Filtered{Items: 11, Kept: 1},
		},
		{
			"null list", `{"result":{"tools": null,"x":1}}`, `{"result":{"tools": [],"x":1}}`, mcp.Filtered{},
		},
		{
			"two lists", `{"result":{"resources":[{"uri":"no:1","name":"a"},{"uri":"f:/a","name":"no"}],"resourceTemplates":[{"uriTemplate":"f:/{a}"},{"uriTemplate":"no:{a}"},{"uri":"f:/b"}]}}`,
			`{"result":{"resources":[{"uri":"f:/a","name":"no"}],"resourceTemplates":[{"uriTemplate":"f:/{a}"}]}}`,
			mcp.Filtered{Items: 5, Kept: 2},
		},
		{
			"numbers and unknown members keep their bytes", `{"id":12345678901234567890,"result":{"_meta":{"n":1.0e+2},"tools":[{"name":"no"},{"name":"a","x-n":100000000000000000001,"y":1.50,"z":"\/"}],"nextCursor":"eyJ\u0061","ttlMs":1E3},"x":-0}`,
			`{"id":12345678901234567890,"result":{"_meta":{"n":1.0e+2},"tools":[{"name":"a","x-n":100000000000000000001,"y":1.50,"z":"\/"}],"nextCursor":"eyJ\u0061","ttlMs":1E3},"x":-0}`,
			mcp.Filtered{Items: 2, Kept: 1},
		},
		{
			"public becomes private", `{"result":{"cacheScope":"public","tools":[{"name":"no"}],"ttlMs":5}}`,
			`{"result":{"cacheScope":"private","tools":[],"ttlMs":5}}`,
			mcp.Filtered{Items: 1},
		},
		{
			"public becomes private although all stay", `{"result":{"tools":[{"name":"a"}],"cacheScope": "publi\u0063"}}`,
			`{"result":{"tools":[{"name":"a"}],"cacheScope": "private"}}`,
			mcp.Filtered{Items: 1, Kept: 1},
		},
		{
			"public stays where there is no list", `{"result":{"contents":[{"uri":"no"}],"cacheScope":"public"}}`,
			`{"result":{"contents":[{"uri":"no"}],"cacheScope":"public"}}`,
			mcp.Filtered{},
		},
		{
			"lists elsewhere are no lists", `{"tools":[{"name":"no"}],"result":{"x":{"tools":[{"name":"no"}],"cacheScope":"public"}},"params":{"tools":[{"name":"no"}]}}`,
			`{"tools":[{"name":"no"}],"result":{"x":{"tools":[{"name":"no"}],"cacheScope":"public"}},"params":{"tools":[{"name":"no"}]}}`,
			mcp.Filtered{},
		},
		{"error reply", `{"id":1,"error":{"code":-1,"message":"x"}}`, `{"id":1,"error":{"code":-1,"message":"x"}}`, mcp.Filtered{}},
		{"result that is no object", `{"id":1,"result":[]}`, `{"id":1,"result":[]}`, mcp.Filtered{}},
		{
			"pretty-printed", "{\n  \"result\": {\n    \"tools\": [\n      {\n        \"name\": \"no\"\n      },\n      {\n        \"name\": \"a\"\n      },\n      {\n        \"name\": \"no\"\n      }\n    ]\n  }\n}\n",
			"{\n  \"result\": {\n    \"tools\": [\n      {\n        \"name\": \"a\"\n      }\n    ]\n  }\n}\n",
			mcp.Filtered{Items: 3, Kept: 1},
		},
	}
	keep := func(_, id string) bool { return !strings.HasPrefix(id, "no") }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, counts, err := mcp.FilterList(nil, []byte(tt.message), keep)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if !json.Valid(got) {
				t.Errorf("no JSON: %s", got)
			}
			checkLayout(t, []byte(tt.message), keep)
		})
	}
}

func TestFilterListRefuses(t *testing.T) {
	tests := map[string]string{
		``:                                                    "read list: not a JSON-RPC object",
		`[{"result":{"tools":[]}}]`:                           "read list: not a JSON-RPC object",
		`{"result":{"tools":[]}`:                              "read list: invalid JSON",
		`{"result":{"tools":[]}} x`:                           "read list: bytes after the message",
		`{"result":{"tools":[{"name":"a"},]}}`:                "read list: invalid JSON",
		`{"result":{"tools":{}}}`:                             "read list: a list is neither an array nor null",
		`{"result":{"tools":"none"}}`:                         "read list: a list is neither an array nor null",
		`{"result":{"tools":[],"tools":[]}}`:                  "read list: duplicate key",
		`{"result":{"tools":[],"t\u006fols":[]}}`:             "read list: duplicate key",
		`{"result":{},"result":{"tools":[]}}`:                 "read list: duplicate key",
		`{"result":{"tools":[{"name":"a","name":"no"}]}}`:     "read list: duplicate key",
		`{"result":{"tools":[],"Tools":[{"name":"no"}]}}`:     "read list: key differs from a known one only in case",
		`{"Result":{"tools":[{"name":"no"}]}}`:                "read list: key differs from a known one only in case",
		`{"result":{"tools":[],"CacheScope":"public"}}`:       "read list: key differs from a known one only in case",
		`{"result":{"tools":[{"name":"\ud800"}]}}`:            "read list: lone surrogate escape",
		"{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}":      "read list: invalid UTF-8",
		`{"result":{"tools":[` + nested(mcp.MaxDepth) + `]}}`: "read list: nested too deep",
	}
	for message, want := range tests {
		out, _, err := mcp.FilterList(nil, []byte(message), func(string, string) bool { return true })
		if err == nil || err.Error() != want || out != nil {
			t.Errorf("%s: %q, %v, want %q", message, out, err, want)
		}
	}
}

func TestFilterListAsksOncePerItem(t *testing.T) {
	var asked []string
	dst := append(make([]byte, 0, 256), "dst:"...)
	out, _, err := mcp.FilterList(dst, []byte(`{"result":{"tools":[{"x":{"name":"inner"},"name":"a"},{"name":"b"}],"resources":[{"uri":"u"}]}}`),
		func(list, id string) bool {
			asked = append(asked, list+" "+id)
			return id != "a"
		})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tools a", "tools b", "resources u"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if want := `dst:{"result":{"tools":[{"name":"b"}],"resources":[{"uri":"u"}]}}`; string(out) != want {
		t.Errorf("out %s, want %s", out, want)
	}
}

// checkFilter holds FilterList against encoding/json: the reply is JSON, everything but the removed items is as it was.
func checkFilter(t *testing.T, message []byte) {
	t.Helper()
	keep := func(_, id string) bool { return len(id)%2 == 0 }
	checkLayout(t, message, keep)
	out, n, err := mcp.FilterList(nil, message, keep)
	if err != nil {
		return
	}
	want, got := members(t, message), members(t, out)
	var counts mcp.Filtered
	result, ok := want["result"].(map[string]any)
	if ok {
		counts = filterTree(result, keep)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", message, diff)
	}
	if diff := cmp.Diff(counts, n); diff != "" {
		t.Errorf("%q: counts (-want +got):\n%s", message, diff)
	}
}

func members(t *testing.T, message []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(message)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%q: %v", message, err)
	}
	return m
}

// filterTree does to a decoded result what FilterList does to its bytes.
func filterTree(result map[string]any, keep func(list, id string) bool) (n mcp.Filtered) {
	listed := false
	for list, key := range map[string]string{"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"} {
		value, ok := result[list]
		if !ok {
			continue
		}
		listed = true
		items, _ := value.([]any)
		n.Items += len(items)
		kept := slices.DeleteFunc(append([]any{}, items...), func(item any) bool {
			m, _ := item.(map[string]any)
			id, ok := m[key].(string)
			for other := range m {
				if other != key && strings.EqualFold(other, key) {
					return true
				}
			}
			return !ok || !keep(list, id)
		})
		n.Kept += len(kept)
		result[list] = kept
	}
	if listed && result["cacheScope"] == "public" {
		result["cacheScope"] = "private"
	}
	return n
}
