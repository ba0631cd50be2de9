package app_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestReloadUnderLoad switches the mounted volumes of a gateway under load, as Kubernetes does: to another server, other
// limits and another policy, to a configuration with a mistake, and to a good one. No call fails, and each has its event.
func TestReloadUnderLoad(t *testing.T) {
	first, second := answering(t, "first"), answering(t, "second")
	dir, config, policy := dataDir(t), newVolume(t), newVolume(t)
	policy.mount(t, "policy.rego", "package sark\n\ndecision := {\"allow\": true, \"rule\": \"first\"}\n")
	config.mount(t, "sark.yaml", settings(dir, first, policy.dir))
	g := startWatching(t, filepath.Join(config.dir, "sark.yaml"))
	load := drive(t, func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", g.Proxy) })
	calls := over(g.Proxy, "")
	load.more(t, 50)
	before := [2]reply{calls.post(t, "/mcp", toolCall("echo")), calls.post(t, "/mcp", toolCall("wipe"))}

	policy.mount(t, "policy.rego", "package sark\n\ndecision := {\"allow\": input.tool.name != \"wipe\", \"rule\": \"second\", \"reason\": \"no\"}\n")
	config.mount(t, "sark.yaml", settings(dir, second, policy.dir, "limits: {tool_rate: 1000000, tool_burst: 1000000}"))
	testkit.Eventually(t, "server and policy are the second ones", func() bool {
		return strings.Contains(calls.post(t, "/mcp", toolCall("echo")).Body, "second") &&
			strings.Contains(calls.post(t, "/mcp", toolCall("wipe")).Body, "unknown tool")
	})
	load.more(t, 50)
	config.mount(t, "sark.yaml", "proxy: {servers: [{name: desk, url: nonsense}], drain_timout: 1s}")
	testkit.Eventually(t, "the mistake is noticed", func() bool { return g.metric(t, "sark_app_config_in_force") == "0" })
	load.more(t, 50)
	during := calls.post(t, "/mcp", toolCall("echo"))
	failures, ready := g.metric(t, `sark_app_config_reloads_total{result="failed"}`), over(g.Admin, "").get(t, "/health/ready").Status
	config.mount(t, "sark.yaml", settings(dir, first, policy.dir))
	testkit.Eventually(t, "the mistake is mended", func() bool { return g.metric(t, "sark_app_config_in_force") == "1" })
	load.more(t, 50)
	after := calls.post(t, "/mcp", toolCall("echo"))
	answered, wrong := load.end()
	g.stop(t)

	if diff := cmp.Diff([]string(nil), wrong); diff != "" {
		t.Errorf("calls that were not answered (-want +got):\n%s", diff)
	}
	got := []string{told(before[0]), told(during), told(after)}
	if diff := cmp.Diff([]string{"first", "second, limited", "first"}, got); diff != "" {
		t.Errorf("who answered (-want +got):\n%s", diff)
	}
	if !strings.Contains(before[1].Body, `"result"`) || failures != "1" || ready != 200 {
		t.Errorf("wipe got %s at first, %s reloads failed, readiness was %d meanwhile", before[1].Body, failures, ready)
	}
	events := stored(t, dir)
	for exchange, n := range byExchange(events) {
		if n != 1 {
			t.Errorf("%d events of exchange %s", n, exchange)
		}
	}
	if got := count(events, "note"); got != int(answered) {
		t.Errorf("%d events of %d calls", got, answered)
	}
	if complaints := g.logs.FilterMessage("the configuration cannot be used; the one before stays in force").All(); len(complaints) != 1 {
		t.Errorf("the log says %+v", complaints)
	}
}

// answering starts an MCP server whose tool echo says who it is, and returns its endpoint.
func answering(t *testing.T, name string) string {
	t.Helper()
	return testkit.NewMCPUpstream(t, testkit.MCPOptions{
		Results: map[string]string{"tools/call echo": `{"content":[{"type":"text","text":"` + name + `"}]}`},
	}).URL() + "/mcp"
}

// told is who answered, and whether the call was limited.
func told(r reply) string {
	_, name, _ := strings.Cut(r.Body, `"text":"`)
	name, _, _ = strings.Cut(name, `"`)
	if r.Header.Get("RateLimit") != "" {
		name += ", limited"
	}
	return name
}

// settings are a configuration of one server, for everybody.
func settings(dir, endpoint, policy string, more ...string) string {
	return fmt.Sprintf(fixture, dir, endpoint) + "authn: {anonymous: {allow: true}}\nauthz: {bundle: \"" + policy + "\"}\n" + strings.Join(more, "\n")
}

// volume is a ConfigMap that is mounted into a pod: names that lead through the symbolic link ..data, which is switched.
type volume struct {
	dir     string
	version int
}

func newVolume(t *testing.T) *volume {
	t.Helper()
	return &volume{dir: t.TempDir()}
}

// mount replaces what is mounted, as the kubelet does.
func (v *volume) mount(t *testing.T, name, text string) {
	t.Helper()
	v.version++
	target := fmt.Sprintf("..2026_11_28_%d", v.version)
	testkit.WriteFile(t, filepath.Join(v.dir, target), name, []byte(text))
	link, visible := filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, name)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(v.dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if v.version > 1 {
		return
	}
	if err := os.Symlink(filepath.Join("..data", name), visible); err != nil {
		t.Fatal(err)
	}
}

// metric returns the value of a sample, given with its labels.
func (g *gateway) metric(t *testing.T, sample string) string {
	t.Helper()
	for line := range strings.Lines(over(g.Admin, "").get(t, "/metrics").Body) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("there is no metric %s", sample)
	return ""
}
