package mcp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// mirrorsOf returns "header=path.to.argument" of each mirror in a tools/list reply, by tool.
func mirrorsOf(t *testing.T, message string) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	err := mcp.Mirrors([]byte(message), func(tool string, mirrors []mcp.Mirror) {
		got[tool] = nil
		for _, m := range mirrors {
			got[tool] = append(got[tool], m.Header+"="+strings.Join(m.Path, "."))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMirrors(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name, schema string
		want         []string
	}{
		{"every type", `{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"x-mcp-header":"B","type":"integer"},"c":{"type":"boolean","x-mcp-header":"C"}}}`, []string{"A=a", "B=b", "C=c"}},
		{"nested", `{"properties":{"at":{"type":"object","properties":{"\u0072egion":{"type":"string","x-mcp-header":"Region"}}},"x":{"type":"string"}}}`, []string{"Region=at.region"}},
		{"an argument called like the annotation", `{"properties":{"x-mcp-header":{"type":"string"},"properties":{"type":"string","x-mcp-header":"P"}}}`, []string{"P=properties"}},
		{"not by properties alone", `{"properties":{"a":{"items":{"properties":{"b":{"type":"string","x-mcp-header":"B"}}},"oneOf":[{"properties":{"c":{"type":"string","x-mcp-header":"C"}}}]}}}`, nil},
		{"number", `{"properties":{"a":{"type":"number","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"B"}}}`, nil},
		{"no type", `{"properties":{"a":{"x-mcp-header":"A"}}}`, nil},
		{"no text", `{"properties":{"a":{"type":"string","x-mcp-header":7}}}`, nil},
		{"empty", `{"properties":{"a":{"type":"string","x-mcp-header":""}}}`, nil},
		{"no token", `{"properties":{"a":{"type":"string","x-mcp-header":"A\r\nB"}}}`, nil},
		{"twice", `{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}`, nil},
		{"endless", `{"properties":{"` + long + `":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"B"}}}`, nil},
		{"no schema", `null`, nil},
		{"odd properties", `{"properties":[{"x-mcp-header":"A"}]}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			message := fmt.Sprintf(`{"id":1,"result":{"tools":[7,{"inputSchema":%[1]s},{"name":"before"},{"inputSchema":%[1]s,"name":"t"}],"ttlMs":0}}`, tt.schema)
			want := map[string][]string{"before": nil, "t": tt.want}
			if d := cmp.Diff(want, mirrorsOf(t, message)); d != "" {
				t.Errorf("mirrors (-want +got):\n%s", d)
			}
		})
	}
	for _, message := range []string{`{"result":{"prompts":[{"name":"a"}]}}`, `{"tools":[{"name":"a"}]}`, `{"result":7}`, `{"result":{"tools":null}}`} {
		if got := mirrorsOf(t, message); len(got) > 0 {
			t.Errorf("%s: %v", message, got)
		}
	}
	if err := mcp.Mirrors([]byte(`[]`), nil); err == nil {
		t.Error("an array was read as a list of tools")
	}
}

func TestMirrorAgrees(t *testing.T) {
	tests := []struct {
		value, argument string
		want            bool
	}{
		{"eu", `"eu"`, true},
		{" eu\t", `"eu"`, true},
		{"EU", `"eu"`, false},
		{"eu", `"\u0065u"`, true},
		{"", `""`, true},
		{"", `"eu"`, false},
		{"=?base64?ZXU=?=", `"eu"`, true},
		{"=?base64?IMO8IA==?=", `" ü "`, true},
		{"=?base64?dXM=?=", `"eu"`, false},
		{"=?base64?!?=", `"=?base64?!?="`, false},
		{"=?BASE64?ZXU=?=", `"=?BASE64?ZXU=?="`, true},
		{"ü", `"ü"`, false}, // must be encoded
		{"a\x01", `"a\u0001"`, false},
		{"true", `true`, true},
		{"false", `false`, true},
		{"True", `true`, false},
		{"true", `false`, false},
		{"true", `"true"`, true},
		{"42", `42`, true},
		{"42.0", `42`, true},
		{"42", `42.0`, true},
		{"4.2e1", `42`, true},
		{"-7", `-7`, true},
		{"42", `"42"`, true},
		{"42.0", `"42"`, false},
		{"43", `42`, false},
		{"0x2a", `42`, false},
		{"4_2", `42`, false},
		{"+42", `42`, false},
		{"inf", `42`, false},
		{"42 x", `42`, false},
		{"1.5", `1.5`, false},
		{"9007199254740991", `9007199254740991`, true},
		{"9007199254740992", `9007199254740993`, false}, // a reader could take one for the other
		{"null", `null`, false},
		{"", `null`, false},
		{"{}", `{}`, false},
		{"[]", `[]`, false},
	}
	for _, tt := range tests {
		flat := mcp.Mirror{Header: "Region", Path: []string{"region"}}
		deep := mcp.Mirror{Header: "Region", Path: []string{"at", "region"}}
		arguments := `{"other":"eu","region":` + tt.argument + `}`
		got := [2]bool{
			flat.Agrees([]byte(tt.value), []byte(arguments)),
			deep.Agrees([]byte(tt.value), []byte(`{"region":1,"at":`+arguments+`}`)),
		}
		if got != [2]bool{tt.want, tt.want} {
			t.Errorf("header %q and argument %s: %v, want %t", tt.value, tt.argument, got, tt.want)
		}
	}
	deep := mcp.Mirror{Header: "Region", Path: []string{"at", "region"}}
	for _, arguments := range []string{``, `{}`, `{"region":"eu"}`, `{"at":null}`, `{"at":"eu"}`, `{"at":{}}`, `{"at":["eu"]}`} {
		if deep.Agrees([]byte("eu"), []byte(arguments)) {
			t.Errorf("the header agrees with %q, where there is no such argument", arguments)
		}
	}
}

// FuzzMirrors reads whatever a server may send, and compares headers with whatever a client may.
func FuzzMirrors(f *testing.F) {
	f.Fuzz(func(t *testing.T, message, value, arguments []byte) {
		_ = mcp.Mirrors(message, func(_ string, mirrors []mcp.Mirror) {
			for _, m := range mirrors {
				if m.Header == "" || len(m.Path) == 0 || strings.ContainsAny(m.Header, "\r\n: ") {
					t.Fatalf("mirror %+v", m)
				}
				if m.Agrees(value, arguments) && len(arguments) == 0 {
					t.Fatalf("%+v agrees with no arguments", m)
				}
			}
		})
	})
}
