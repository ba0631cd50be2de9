package authz_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/input.golden.json"

// TestDocument compares the input documents of all kinds of requests with the golden file, which is the reference of policy
// authors. "go test ./authz -update" rewrites it; a change that removes or renames a field needs a new InputVersion.
func TestDocument(t *testing.T) {
	east := time.FixedZone("east", 3600) // Monday has begun there
	documents := map[string]json.RawMessage{}
	for name, in := range map[string]*authz.Input{
		"tools/call":           callTool(analyst(), `{"amount":30,"items":[{"id":"a","ok":true,"note":null}],"text":"\u00e9\n"}`),
		"tools/list item":      listItem(analyst(), authz.Tool{Name: "run_report", SensitivityLevel: "medium"}),
		"resources/read":       readResource(),
		"anonymous initialize": initialize(),
		"server:sampling":      sampling(),
		"servers.create":       registerServer(),
	} {
		doc, err := authz.Document(in, east)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		documents[name] = doc
	}
	got, err := json.MarshalIndent(documents, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("documents (-golden +got):\n%s", diff)
	}
}

func readResource() *authz.Input {
	in := callTool(admin(), "")
	in.Call = &mcp.Call{Method: "resources/read", Action: "resource:read", ResourceType: "resource", URI: "ticket://T-1", ProtocolVersion: "2025-11-25"}
	in.Tool = authz.Tool{}
	in.Resource = authz.Resource{Type: "resource", ID: "ticket://T-1", SensitivityLevel: "low"}
	return in
}

func initialize() *authz.Input {
	return &authz.Input{
		Principal: authn.Anonymous([]string{}),
		Call:      &mcp.Call{Method: "initialize", Action: "mcp:initialize"},
		Server:    authz.Server{ID: "desk", Name: "desk", SensitivityLevel: "low"},
		Time:      time.Unix(0, 0),
	}
}

func sampling() *authz.Input {
	in := initialize()
	in.Call = &mcp.Call{Method: "sampling/createMessage"}
	in.Action, in.Phase = "server:sampling", authz.PhaseServer
	return in
}

func registerServer() *authz.Input {
	return &authz.Input{
		Principal: admin(),
		Call:      &mcp.Call{Kind: mcp.Plain, Era: mcp.Modern, Action: "server:register", ResourceType: "server", Route: "servers.create"},
		Resource:  authz.Resource{Type: "server", SensitivityLevel: "high", Teams: []string{"platform"}, OwnerID: "root"},
		Request:   authz.Request{Method: "POST", Path: "/api/v1/servers/"},
		Time:      time.Unix(1_790_000_000, 0),
		Context:   map[string]any{"request": map[string]any{"n": 1.5}},
	}
}

// FuzzArguments: whatever arguments pass the strict parser of the proxy, policies see them as encoding/json reads them.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"b":[true,false,null,{"c":"d"}],"e":-1.5e3}`, `{"a":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"}`,
		`{"a":{"b":{"c":[[[]]]}},"":0}`, `{"n":123456789012345678901234567890}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, arguments []byte) {
		if !json.Valid(arguments) || !utf8.Valid(arguments) || strings.Contains(strings.ToLower(string(arguments)), `\ud`) {
			return // never gets here
		}
		in := callTool(admin(), string(arguments))
		raw, err := authz.Document(in, nil)
		if err != nil {
			return // numbers out of range, and nesting
		}
		var doc struct {
			MCP  struct{ Arguments any }
			Tool struct{ Parameters any }
		}
		unmarshal(t, raw, &doc)
		var want any
		unmarshal(t, arguments, &want)
		if diff := cmp.Diff(want, doc.MCP.Arguments, sameNumber); diff != "" {
			t.Errorf("arguments (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(doc.MCP.Arguments, doc.Tool.Parameters); diff != "" {
			t.Errorf("parameters (-arguments +parameters):\n%s", diff)
		}
	})
}

// sameNumber compares numbers by value: the interpreter may write 1.0 as 1.
var sameNumber = cmp.Comparer(func(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return a == b || (errX == nil && errY == nil && x == y)
})

func unmarshal(t *testing.T, raw []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
}
