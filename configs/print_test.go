package configs_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"sark/configs"
)

// printed returns what Print writes.
func printed(t *testing.T, l *configs.Loaded) string {
	t.Helper()
	var b bytes.Buffer
	if err := configs.Print(&b, l); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintRoundTrip(t *testing.T) {
	for _, file := range []string{"examples/sidecar.yaml", "examples/minimal.yaml", "presets/low-latency.yaml"} {
		t.Run(file, func(t *testing.T) {
			loaded := mustLoad(t, configs.Options{File: file})

			again := mustLoadYAML(t, printed(t, loaded))

			equal(t, printed(t, &configs.Loaded{Config: loaded.Config}), printed(t, &configs.Loaded{Config: again.Config}))
		})
	}
}

func TestPrintNamesOrigins(t *testing.T) {
	text := printed(t, mustLoadYAML(t, "proxy:\n  servers: [{name: a, url: http://h/mcp}]\n  allowed_hosts: [x]\nauthz: {policy_config: {a: 1}}", "VALKEY_POOL_SIZE=7"))

	for _, want := range []string{
		"  pool_size: 7 # environment VALKEY_POOL_SIZE\n",
		"  servers: # file sark.yaml\n    - name: a\n",
		"  allowed_hosts: [x] # file sark.yaml\n",
		"  policy_config: # file sark.yaml\n    a: 1\n",
		"  listen: :8080\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestPrintRedacts(t *testing.T) {
	text := printed(t, mustLoadYAML(t, `
store: {url: 'postgres://sark:hush@db/sark?sslpassword=hush&sslmode=require'}
redis: {url: 'redis://:hush@cache:6379'}
audit: {hash_key: hushhushhushhushhushhushhushhush}
proxy: {servers: [{name: a, url: 'http://h/mcp', authorization: static, token: hush}]}
authn: {jwt: {issuer: i, audience: a, key: '{"keys":[{"kid":"hush"}]}'}}
authz: {opa: {services: {s: {url: 'https://b', credentials: {bearer: {token: hush}}}}}}
`))

	if strings.Contains(text, "hush") {
		t.Errorf("a secret is printed:\n%s", text)
	}
	for _, want := range []string{"sark:xxxxx@db/sark", "sslmode=require", "cache:6379", "hash_key: '[redacted]'"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestReloadAppliesLiveKeysOnly(t *testing.T) {
	running := mustLoadYAML(t, "proxy: {listen: ':1'}\nlog: {level: info}").Config
	next := mustLoadYAML(t, "proxy: {listen: ':2', servers: [{name: a, url: http://h/mcp}]}\nlog: {level: debug}").Config

	effective, applied, pending := configs.Reload(running, next)

	equal(t, []string{"proxy.servers", "log.level"}, applied)
	equal(t, []string{"proxy.listen"}, pending)
	equal(t, []any{":1", "debug", 1}, []any{effective.Proxy.Listen, effective.Log.Level, len(effective.Proxy.Servers)})
	equal(t, []any{":1", "info", 0}, []any{running.Proxy.Listen, running.Log.Level, len(running.Proxy.Servers)})
}

// FuzzLoad feeds the reader hostile files: it must answer with a configuration
// or with issues, never with anything else.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{"examples/gateway.yaml", "examples/sidecar.yaml", "presets/development.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "SARK_PROXY_SERVERS=[{}]")
	}
	f.Add("a: &a [*a]", "VALKEY_SOCKET_TIMEOUT=1e300")
	f.Add("proxy: {servers: [{1: 2}, null]}", "SARK_AUTHZ_OPA={\"a\":1e999}")
	f.Fuzz(func(t *testing.T, text, variable string) {
		o := yamlOptions(text, variable)
		loaded, err := configs.Load(o)
		if err != nil {
			issueLines(t, o)
			return
		}
		printed(t, loaded)
	})
}
