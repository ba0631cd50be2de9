package demo_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/demo"
)

// TestRefusedStarts gives the demonstration what it cannot work with. Each error says what to do.
func TestRefusedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // never accepted from
	dir := dataDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"taken port":     {[]string{"--data-dir", filepath.Join(dir, "a"), "--listen", taken.Addr().String()}, "proxy.listen: listen on " + taken.Addr().String()},
		"taken API port": {[]string{"--data-dir", filepath.Join(dir, "a"), "--api-listen", taken.Addr().String()}, "api.listen: listen on " + taken.Addr().String()},
		"bad address":    {[]string{"--data-dir", filepath.Join(dir, "a"), "--listen", "nowhere"}, "proxy.listen: \"nowhere\" is no address: write host:port"},
		"long directory": {[]string{"--data-dir", filepath.Join(dir, strings.Repeat("long", 30))}, "choose a shorter data_dir"},
		"no directory":   {[]string{"--data-dir", ""}, "--data-dir is empty: name a directory"},
		"a file":         {[]string{"--data-dir", file}, "make the data directory: mkdir " + file},
		"argument":       {[]string{"now"}, `unknown command "now"`},
		"flag":           {[]string{"--port", "1"}, "unknown flag: --port"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, append([]string{"sark-demo"}, c.args...))
			if got.Code != 1 || got.Out != "" || !strings.HasPrefix(got.Errs, "sark-demo: ") || !strings.Contains(got.Errs, c.want) {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "sark.yaml")); err == nil {
		t.Error("a demonstration that never ran left a configuration")
	}
}

// TestRefusedCalls gives the call command what it cannot work with.
func TestRefusedCalls(t *testing.T) {
	d := begin(t, "--data-dir", dataDir(t))
	url, key := d.fields()["MCP endpoint"], d.fields()["analyst's key"]
	for name, c := range map[string]struct {
		args []string
		want outcome
	}{
		"no object": {
			[]string{"--url", url, "--key", key, "search_tickets", `["lamp"]`},
			outcome{1, "", "sark-demo: the arguments must be a JSON object, for example '{\"query\":\"lamp\"}'\n"},
		},
		"null": {
			[]string{"--url", url, "--key", key, "search_tickets", "null"},
			outcome{1, "", "sark-demo: the arguments must be a JSON object, for example '{\"query\":\"lamp\"}'\n"},
		},
		"no url":  {[]string{"search_tickets"}, outcome{1, "", "sark-demo: required flag(s) \"url\" not set\n"}},
		"no tool": {[]string{"--url", url}, outcome{1, "", "sark-demo: accepts between 1 and 2 arg(s), received 0\n"}},
		"tool error": {
			[]string{"--url", url, "--key", key, "refund_order", `{"order_id":"O-9","amount":1,"reason":"x"}`},
			outcome{1, "no order \"O-9\"\n", ""},
		},
		"hidden tool": {
			[]string{"--url", url, "--key", key, "delete_customer", `{"customer_id":"C-1"}`},
			outcome{1, "refused: unknown tool \"delete_customer\"\n", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, run(t, append([]string{"sark-demo", "call"}, c.args...))); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCallWithoutGateway(t *testing.T) {
	got := run(t, []string{"sark-demo", "call", "--url", "http://127.0.0.1:9/mcp", "search_tickets"})
	if got.Code != 1 || !strings.HasPrefix(got.Errs, "sark-demo: connect to http://127.0.0.1:9/mcp: ") {
		t.Errorf("%+v", got)
	}
}

// TestHelp shows where the commands that are printed lie: beside this program when they do, else in the path.
func TestHelp(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sark"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for command, want := range map[string]string{
		"./sark-demo":                     `(default "./sark")`,
		"sark-demo":                       `(default "sark")`,
		filepath.Join(dir, "sark-demo"):   `(default "` + filepath.Join(dir, "sark") + `")`,
		filepath.Join(dir, "x/sark-demo"): `(default "sark")`,
	} {
		var out bytes.Buffer
		code := demo.Main(t.Context(), []string{"--help"}, &out, &out, command, "1.2.3")
		if code != 0 || !strings.Contains(out.String(), "how to call the sark program in the printed commands "+want) {
			t.Errorf("%s --help ends with %d, want %s:\n%s", command, code, want, out.String())
		}
	}
}
