package mcp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func TestFilterItems(t *testing.T) {
	tests := []struct {
		name, doc, want string // items whose bytes hold "secret" go
		counts          mcp.Filtered
	}{
		{
			"nothing to remove", `{"items": [{"id":"a"} ],"total": 1}`, `{"items": [{"id":"a"} ],"total": 1}`, mcp.Filtered{Items: 1, Kept: 1},
		},
		{
			"total after", `{"items":[ {"id":"a"}, {"id":"b","x":"secret"} ], "total": 2,"next_cursor":"c"}`,
			`{"items":[ {"id":"a"} ], "total": null,"next_cursor":"c"}`,
			mcp.Filtered{Items: 2, Kept: 1},
		},
		{
			"total before", `{"total":2,"items":[{"id":"secret"},{"id":"a"}]}`,
			`{"total":null,"items":[{"id":"a"}]}`,
			mcp.Filtered{Items: 2, Kept: 1},
		},
		{
			"without id", `{"items":[{"name":"a"},{"id":5},7],"has_more":false}`, `{"items":[],"has_more":false}`, mcp.Filtered{Items: 3},
		},
		{"no such array", `{"id":"secret"}`, `{"id":"secret"}`, mcp.Filtered{}},
		{"null array", `{"items":null,"total":0}`, `{"items":null,"total":0}`, mcp.Filtered{}},
		{"only the outer array", `{"x":{"items":[{"id":"secret"}]},"items":[]}`, `{"x":{"items":[{"id":"secret"}]},"items":[]}`, mcp.Filtered{}},
	}
	keep := func(_ string, item []byte) bool { return !strings.Contains(string(item), "secret") }
	all := func() bool { return true }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, counts, err := mcp.FilterItems(nil, []byte(tt.doc), "items", "id", keep, all)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
	for doc, want := range map[string]string{
		`[]`:                                "read page: not a JSON-RPC object",
		`{"items":[{"id":"a"}`:              "read page: invalid JSON",
		`{"items":[]}x`:                     "read page: bytes after the message",
		`{"items":[],"items":[{"id":"a"}]}`: "read page: duplicate key",
	} {
		if out, _, err := mcp.FilterItems(nil, []byte(doc), "items", "id", keep, all); err == nil || err.Error() != want || out != nil {
			t.Errorf("%s: %q, %v, want %q", doc, out, err, want)
		}
	}
}

func TestFilterItemsKeepsTheTotal(t *testing.T) {
	keep, none := func(string, []byte) bool { return true }, func() bool { return false }
	for doc, want := range map[string]string{
		`{"items":[{"id":"a"}],"total":9}`:    `{"items":[{"id":"a"}],"total":null}`,
		`{"items":[{"id":"a"}],"total":null}`: `{"items":[{"id":"a"}],"total":null}`,
	} {
		got, _, err := mcp.FilterItems(nil, []byte(doc), "items", "id", keep, none)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", doc, got, err)
		}
	}
}

func TestStrings(t *testing.T) {
	want := map[string][]string{
		`["a","\u0062"]`: {"a", "b"}, `[ ]`: nil, `["a",5,["b"]]`: {"a"}, `"a"`: nil, ``: nil, `["a"`: nil, `["a"] x`: nil,
	}
	got := map[string][]string{}
	for raw := range want {
		got[raw] = mcp.Strings([]byte(raw))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestMember(t *testing.T) {
	tests := []struct{ object, want string }{
		{`{"a":1,"b": "x\u0079" ,"c":{}}`, "\"x\\u0079\""},
		{`{"\u0062":[1, 2]}`, "[1, 2]"},
		{`{"a":{"b":1}}`, ""},
		{`{"B":1}`, ""},
		{`[]`, ""},
		{``, ""},
		{`{"b":1`, ""},
		{`{"b":1} x`, ""},
		{`{"b":1,"b":2}`, ""},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, string(mcp.Member([]byte(tt.object), "b"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.object, diff)
		}
	}
}

func TestString(t *testing.T) {
	want := map[string]string{`"a"`: "a", `"\u0061\n"`: "a\n", `""`: "", `5`: "", `null`: "", ``: "", `"`: ""}
	got := map[string]string{}
	for raw := range want {
		got[raw] = mcp.String([]byte(raw))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestErrorText(t *testing.T) {
	err := &mcp.Error{Code: mcp.CodeParse, Reason: "invalid JSON", ID: []byte("1")}
	if diff := cmp.Diff("mcp: invalid JSON (-32700)", err.Error()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
