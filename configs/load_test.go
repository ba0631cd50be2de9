package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/configs"
)

func TestZeroConfigIsValidAndDeniesEveryone(t *testing.T) {
	loaded := mustLoad(t, configs.Options{})

	equal(t, configs.Default(), loaded.Config)
	equal(t, []string(nil), loaded.Warnings)
	c := loaded.Config
	equal(t, []any{":8080", configs.Bytes(4 << 20), "127.0.0.1:8081", ":9901", "", false, 0, time.Second, "UTC"},
		[]any{
			c.Proxy.Listen, c.Proxy.MaxBodyBytes, c.API.Listen, c.Admin.Listen, c.Debug.Listen,
			c.Authn.Anonymous.Allow, len(c.Proxy.Servers), c.Authz.Timeout, c.Authz.Timezone,
		})
}

// Each step sets the same key in a stronger place than the step before.
func TestPrecedence(t *testing.T) {
	o := configs.Options{}
	o.ReadFile = inMemory(map[string]string{"f.yaml": "redis: {pool_size: 2}"})
	steps := []struct {
		set    func()
		want   int
		origin string
	}{
		{func() {}, 50, "default"},
		{func() { o.Preset = "high-traffic" }, 100, "preset high-traffic"},
		{func() { o.File = "f.yaml" }, 2, "file f.yaml"},
		{func() { o.Environ = append(o.Environ, "REDIS_POOL_SIZE=3") }, 3, "environment REDIS_POOL_SIZE"},
		{func() { o.Environ = append(o.Environ, "VALKEY_POOL_SIZE=4") }, 4, "environment VALKEY_POOL_SIZE"},
		{func() { o.Environ = append(o.Environ, "SARK_REDIS_POOL_SIZE=5") }, 5, "environment SARK_REDIS_POOL_SIZE"},
		{func() { o.Flags = map[string]any{"redis.pool_size": 6} }, 6, "flag redis.pool_size"},
	}
	for _, step := range steps {
		t.Run(step.origin, func(t *testing.T) {
			step.set()

			loaded := mustLoad(t, o)

			equal(t, step.want, loaded.Config.Redis.PoolSize)
			equal(t, step.origin, loaded.Origins["redis.pool_size"].String())
		})
	}
}

func TestSpellingsThatDisagreeWarn(t *testing.T) {
	disagree := mustLoad(t, configs.Options{Environ: []string{"REDIS_SOCKET_TIMEOUT=3", "VALKEY_SOCKET_TIMEOUT=4"}})
	agree := mustLoad(t, configs.Options{Environ: []string{"REDIS_SOCKET_TIMEOUT=4s", "VALKEY_SOCKET_TIMEOUT=4"}})

	equal(t, []string{"redis.socket_timeout: VALKEY_SOCKET_TIMEOUT and REDIS_SOCKET_TIMEOUT disagree; VALKEY_SOCKET_TIMEOUT wins"}, disagree.Warnings)
	equal(t, []string(nil), agree.Warnings)
	equal(t, 4*time.Second, disagree.Config.Redis.SocketTimeout)
}

func TestFileAndPresetAreAlsoNamedByVariables(t *testing.T) {
	o := yamlOptions("log: {level: warn}", "SARK_CONFIG=sark.yaml", "SARK_PRESET=development")
	o.File = ""

	loaded := mustLoad(t, o)

	equal(t, []any{"warn", false}, []any{loaded.Config.Log.Level, loaded.Config.Cache.Enabled})
}

func TestDurationsAndSizes(t *testing.T) {
	tests := []struct {
		yaml string
		want time.Duration
	}{
		{"30", 30 * time.Second},
		{"0.5", 500 * time.Millisecond},
		{`"2.25"`, 2250 * time.Millisecond},
		{"1m30s", 90 * time.Second},
		{"250ms", 250 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.yaml, func(t *testing.T) {
			loaded := mustLoadYAML(t, "redis: {socket_timeout: "+test.yaml+"}")

			equal(t, test.want, loaded.Config.Redis.SocketTimeout)
		})
	}
	sizes := mustLoadYAML(t, "proxy: {max_body_bytes: 1048576}\naudit: {max_bytes: 2 GB}", "SARK_CACHE_MAX_BYTES=128Mi").Config
	equal(t, []configs.Bytes{1 << 20, 2e9, 128 << 20}, []configs.Bytes{sizes.Proxy.MaxBodyBytes, sizes.Audit.MaxBytes, sizes.Cache.MaxBytes})
}

func TestOff(t *testing.T) {
	c := mustLoadYAML(t, "api: {listen: off}\nstore: {postgres: {pool_recycle: -1}, slow_query: 0}\nproxy: {heartbeat: off}",
		"SARK_ADMIN_LISTEN=off").Config

	equal(t, []any{"", "", time.Duration(0), time.Duration(0), time.Duration(0)},
		[]any{c.API.Listen, c.Admin.Listen, c.Store.Postgres.PoolRecycle, c.Store.SlowQuery, c.Proxy.Heartbeat})
}

// TestOffIsOneWord: whatever can be off is so by that word, in the file and in the environment, and is printed as it.
func TestOffIsOneWord(t *testing.T) {
	seen := 0
	for _, key := range configs.Keys() {
		if key.Off == "" || key.Env == "" {
			continue
		}
		seen++
		loaded, err := configs.Load(configs.Options{Environ: []string{key.Env + "=off"}})
		if err != nil {
			t.Errorf("%s=off: %v", key.Env, err)
			continue
		}
		var b strings.Builder
		if err := configs.Print(&b, loaded); err != nil {
			t.Fatal(err)
		}
		name := key.Path[strings.LastIndex(key.Path, ".")+1:]
		if want := name + `: "off" # environment ` + key.Env; !strings.Contains(b.String(), want) {
			t.Errorf("%s=off is not printed as %s", key.Env, want)
		}
		if key.Off == "off" { // an address: 0 is none
			continue
		}
		for _, number := range []string{"0", key.Off} {
			if _, err := configs.Load(configs.Options{Environ: []string{key.Env + "=" + number}}); err != nil {
				t.Errorf("%s=%s: %v", key.Env, number, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d keys can be off, which is too few to be all", seen)
	}
}

func TestListsFromTheEnvironmentAreJSON(t *testing.T) {
	c := mustLoad(t, configs.Options{Environ: []string{
		`SARK_PROXY_SERVERS=[{"name":"a","url":"http://h/mcp","tools":[{"name":"t","read_only":true}],"timeouts":{"first_byte":1.5}}]`,
		`SARK_PROXY_ALLOWED_HOSTS=["a.example","b.example"]`,
		`SARK_AUTHZ_OPA={"labels":{"Region":"EU","n":3}}`,
		`SARK_AUTHZ_POLICY_CONFIG={"ip_allowlist":["10.0.0.0/8"]}`,
	}}).Config

	equal(t, []configs.Server{{
		Name: "a", URL: "http://h/mcp", SensitivityLevel: "medium", Authorization: "strip",
		Tools: []configs.Tool{{Name: "t", ReadOnly: true}}, Timeouts: configs.Timeouts{FirstByte: 1500 * time.Millisecond},
	}}, c.Proxy.Servers)
	equal(t, []string{"a.example", "b.example"}, c.Proxy.AllowedHosts)
	equal(t, configs.Object{"labels": map[string]any{"Region": "EU", "n": 3}}, c.Authz.OPA)
	equal(t, configs.Object{"ip_allowlist": []any{"10.0.0.0/8"}}, c.Authz.PolicyConfig)
	equal(t, configs.Timeouts{Connect: 5 * time.Second, FirstByte: 1500 * time.Millisecond, IdleStream: time.Hour},
		c.Proxy.Servers[0].Timeouts.Or(c.Proxy.Timeouts))
}

// A merge library that lower-cases keys must not reach free-form mappings.
func TestFreeFormMappingsKeepTheirCase(t *testing.T) {
	c := mustLoadYAML(t, "authz:\n  opa:\n    services:\n      MyService: {url: 'https://x', headers: {X-Team: A, 1: one}}\n").Config

	equal(t, configs.Object{"services": map[string]any{
		"MyService": map[string]any{"url": "https://x", "headers": map[string]any{"X-Team": "A", "1": "one"}},
	}}, c.Authz.OPA)
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	closed, open := filepath.Join(dir, "closed"), filepath.Join(dir, "open")
	for name, mode := range map[string]os.FileMode{closed: 0o600, open: 0o604} {
		if err := os.WriteFile(name, []byte("0123456789abcdef0123456789abcdef\n\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sark.yaml")
	text := "proxy: {servers: [{name: a, url: 'http://127.0.0.1/mcp', authorization: static, token_file: " + closed + "}]}"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	loaded := mustLoad(t, configs.Options{File: file, Environ: []string{"SARK_AUDIT_HASH_KEY_FILE=" + open}})

	const want = "0123456789abcdef0123456789abcdef\n"
	equal(t, []string{want, want}, []string{loaded.Config.Audit.HashKey, loaded.Config.Proxy.Servers[0].Token})
	equal(t, []string{"audit.hash_key: everyone on this host can read " + open + "; chmod o-r it"}, loaded.Warnings)
	equal(t, "environment SARK_AUDIT_HASH_KEY_FILE", loaded.Origins["audit.hash_key"].String())
}

func TestKubernetesServiceLinksAreNoSettings(t *testing.T) {
	mustLoad(t, configs.Options{Environ: []string{
		"SARK_SERVICE_HOST=10.0.0.1", "SARK_SERVICE_PORT=8080", "SARK_SERVICE_PORT_METRICS=9901",
		"SARK_PORT=tcp://10.0.0.1:8080", "SARK_PORT_8080_TCP=tcp://10.0.0.1:8080", "SARK_PORT_8080_TCP_ADDR=10.0.0.1",
		"SARK_GATEWAY_ADMIN_SERVICE_HOST=10.0.0.2", "SARK_GATEWAY_ADMIN_PORT_9901_TCP_PROTO=tcp",
		"SARK_TEST_POSTGRES_URL=postgres://x/y", "SARKOPHAGUS=1",
	}})

	equal(t, []string{"SARK_PORT: unknown variable"}, issueLines(t, configs.Options{Environ: []string{"SARK_PORT=8080"}}))
}

func TestFlags(t *testing.T) {
	c := mustLoad(t, configs.Options{
		Flags: map[string]any{
			"proxy.listen": ":9", "redis.socket_timeout": 3 * time.Second, "cache.enabled": "false",
			"proxy.allowed_hosts": []string{"a"}, "store.url_file": "/url", "redis.pool_size": "8",
		},
		ReadFile: inMemory(map[string]string{"/url": "postgres://u:p@h/d"}),
	}).Config

	equal(t, []any{":9", 3 * time.Second, false, []string{"a"}, "postgres://u:p@h/d", 8},
		[]any{c.Proxy.Listen, c.Redis.SocketTimeout, c.Cache.Enabled, c.Proxy.AllowedHosts, c.Store.URL, c.Redis.PoolSize})
}

func TestFallbacks(t *testing.T) {
	c := mustLoadYAML(t, "data_dir: /d\nredis: {url: 'redis://a'}\nlimits: {redis_url: 'redis://b'}").Config

	equal(t, []string{"/d/spool", "/d/api.sock", "redis://a", "redis://b"},
		[]string{c.SpoolDir(), c.APISocket(), c.SessionsRedisURL(), c.LimitsRedisURL()})
}

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			loaded := mustLoad(t, configs.Options{File: file})

			if len(loaded.Config.Proxy.Servers) == 0 {
				t.Error("the example has no server")
			}
		})
	}
}
