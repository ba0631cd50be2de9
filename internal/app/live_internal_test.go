package app

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/configs"
	"sark/internal/authn"
	"sark/internal/limit"
	"sark/internal/testkit"
	"sark/proxy"
)

// This test is inside the package: it looks at what the running parts were given, key by key.

// liveKey is a change of one live key, as flags, and where the running gateway shows it.
type liveKey struct {
	set  map[string]any
	seen func(g *gateway) any
	want any
}

// proxied returns what the options of the proxy's listener say.
func proxied[T any](read func(o proxy.Options) T) func(*gateway) any {
	return func(g *gateway) any {
		for _, f := range g.table.fronts {
			if f.key == "proxy.listen" {
				return read(f.h.Options())
			}
		}
		return "no listener"
	}
}

func upstreamOf[T any](read func(o proxy.UpstreamOptions) T) func(*gateway) any {
	return proxied(func(o proxy.Options) T { return read(o.Servers[0].Upstream) })
}

// authenticates returns who the credential of X-API-Key is, or why it is nobody.
func authenticates(credential string) func(*gateway) any {
	return func(g *gateway) any {
		c := authn.Credentials{}
		if credential != "" {
			c.APIKey = []byte(credential)
		}
		p, err := g.authn.Load().Authenticate(context.Background(), c)
		if err != nil {
			return authn.CodeOf(err)
		}
		return p.ID + " " + strings.Join(p.Roles, ",")
	}
}

// rebuilt shows that the authenticator is another one, made of the configuration in force: what it makes of each key is
// tested where it lives.
func rebuilt(read func(c configs.Authn) any) func(*gateway) any {
	return func(g *gateway) any {
		v := g.table.version()
		if v.authn != g.authn.Load() {
			return "another authenticator"
		}
		return read(v.config.Authn)
	}
}

// liveKeys holds a row for each live key.
func liveKeys(other files) map[string]liveKey {
	type o = proxy.Options
	type u = proxy.UpstreamOptions
	one := func(key string, value, want any, seen func(*gateway) any) liveKey {
		return liveKey{map[string]any{key: value}, seen, want}
	}
	hash := authn.HashSecret(strings.Repeat("s", 40))
	key := fmt.Sprintf(`[{"id":"ci","hash":"sha256:%x","subject":"bot","roles":["viewer"]}]`, hash)
	jwt := map[string]any{"authn.jwt.issuer": "https://idp.example", "authn.jwt.audience": `["https://a"]`, "authn.jwt.jwks_url": "https://127.0.0.1:1/jwks"}
	token := func(k string, v, want any, read func(configs.JWT) any) liveKey {
		set := map[string]any{}
		for name, value := range jwt {
			set[name] = value
		}
		set[k] = v
		return liveKey{set, rebuilt(func(a configs.Authn) any { return read(a.JWT) }), want}
	}
	return map[string]liveKey{
		"watch_config":                    one("watch_config", "false", false, func(g *gateway) any { return g.live.Load().WatchConfig }),
		"proxy.public_url":                one("proxy.public_url", "https://x", "https://x", proxied(func(o o) string { return o.PublicURL })),
		"proxy.allowed_hosts":             one("proxy.allowed_hosts", `["x"]`, []string{"x"}, proxied(func(o o) []string { return o.AllowedHosts })),
		"proxy.allowed_origins":           one("proxy.allowed_origins", `["https://x"]`, []string{"https://x"}, proxied(func(o o) []string { return o.AllowedOrigins })),
		"proxy.trusted_proxies":           one("proxy.trusted_proxies", `["10.0.0.0/8"]`, []string{"10.0.0.0/8"}, proxied(func(o o) []string { return o.TrustedProxies })),
		"proxy.concurrent_wait":           one("proxy.concurrent_wait", "3s", 3*time.Second, proxied(func(o o) time.Duration { return o.ConcurrentWait })),
		"proxy.max_held_bytes":            one("proxy.max_held_bytes", "80MiB", 80<<20, proxied(func(o o) int { return o.MaxHeldBytes })),
		"proxy.max_arriving_bytes":        one("proxy.max_arriving_bytes", "80MiB", 80<<20, proxied(func(o o) int { return o.MaxArrivingBytes })),
		"proxy.deny_response":             one("proxy.deny_response", "tool_error", true, proxied(func(o o) bool { return o.DenyAsToolError })),
		"proxy.hidden_tools":              one("proxy.hidden_tools", "denied", false, proxied(func(o o) bool { return o.HideUnknown })),
		"proxy.drain_grace":               one("proxy.drain_grace", "7s", 7*time.Second, func(g *gateway) any { return g.live.Load().Proxy.DrainGrace }),
		"proxy.drain_timeout":             one("proxy.drain_timeout", "7s", 7*time.Second, func(g *gateway) any { return g.live.Load().Proxy.DrainTimeout }),
		"proxy.servers":                   one("proxy.servers", `[{"name":"next","url":"http://127.0.0.1:1/mcp"}]`, "next", proxied(func(o o) string { return o.Servers[0].Name })),
		"proxy.breaker.enabled":           one("proxy.breaker.enabled", "false", true, upstreamOf(func(u u) bool { return u.Breaker.Off })),
		"proxy.breaker.failures":          one("proxy.breaker.failures", "7", 7, upstreamOf(func(u u) int { return u.Breaker.Failures })),
		"proxy.breaker.ratio":             one("proxy.breaker.ratio", "7", 7, upstreamOf(func(u u) int { return u.Breaker.Ratio })),
		"proxy.breaker.min_calls":         one("proxy.breaker.min_calls", "7", 7, upstreamOf(func(u u) int { return u.Breaker.MinCalls })),
		"proxy.breaker.window":            one("proxy.breaker.window", "7s", 7*time.Second, upstreamOf(func(u u) time.Duration { return u.Breaker.Window })),
		"proxy.breaker.open_for":          one("proxy.breaker.open_for", "7s", 7*time.Second, upstreamOf(func(u u) time.Duration { return u.Breaker.OpenFor })),
		"proxy.breaker.probes":            one("proxy.breaker.probes", "7", 7, upstreamOf(func(u u) int { return u.Breaker.Probes })),
		"proxy.health.interval":           one("proxy.health.interval", "7s", 7*time.Second, upstreamOf(func(u u) time.Duration { return u.Health.Interval })),
		"proxy.health.timeout":            one("proxy.health.timeout", "7s", 7*time.Second, upstreamOf(func(u u) time.Duration { return u.Health.Timeout })),
		"proxy.health.probe":              one("proxy.health.probe", "ping", "ping", upstreamOf(func(u u) string { return u.Health.Probe })),
		"proxy.health.failures":           one("proxy.health.failures", "7", 7, upstreamOf(func(u u) int { return u.Health.Failures })),
		"proxy.health.successes":          one("proxy.health.successes", "7", 7, upstreamOf(func(u u) int { return u.Health.Successes })),
		"proxy.registry.allowed_networks": one("proxy.registry.allowed_networks", `["10.0.0.0/8"]`, false, func(g *gateway) any { return g.table.networks.Allows(netip.MustParseAddr("192.0.2.1")) }),
		"authn.api_keys":                  one("authn.api_keys", key, "bot viewer", authenticates("sark_ci_"+strings.Repeat("s", 40))),
		"authn.anonymous.allow":           one("authn.anonymous.allow", "true", "anonymous ", authenticates("")),
		"authn.anonymous.roles":           {map[string]any{"authn.anonymous.allow": "true", "authn.anonymous.roles": `["viewer"]`}, authenticates(""), "anonymous viewer"},
		"authn.mtls.trust_domains":        one("authn.mtls.trust_domains", `["x.example"]`, []string{"x.example"}, rebuilt(func(a configs.Authn) any { return a.MTLS.TrustDomains })),
		"authn.mtls.names":                one("authn.mtls.names", `["x.example"]`, []string{"x.example"}, rebuilt(func(a configs.Authn) any { return a.MTLS.Names })),
		"authn.mtls.roles":                {map[string]any{"authn.mtls.names": `["x"]`, "authn.mtls.roles": `["x"]`}, rebuilt(func(a configs.Authn) any { return a.MTLS.Roles }), []string{"x"}},
		"authn.jwt.issuer":                token("authn.jwt.issuer", "https://other", "https://other", func(j configs.JWT) any { return j.Issuer }),
		"authn.jwt.audience":              token("authn.jwt.audience", `["https://b"]`, []string{"https://b"}, func(j configs.JWT) any { return j.Audience }),
		"authn.jwt.jwks_url":              token("authn.jwt.jwks_url", "https://127.0.0.1:2/jwks", "https://127.0.0.1:2/jwks", func(j configs.JWT) any { return j.JWKSURL }),
		"authn.jwt.algorithms":            token("authn.jwt.algorithms", `["RS256"]`, []string{"RS256"}, func(j configs.JWT) any { return j.Algorithms }),
		"authn.jwt.leeway":                token("authn.jwt.leeway", "7s", 7*time.Second, func(j configs.JWT) any { return j.Leeway }),
		"authn.jwt.keys_life":             token("authn.jwt.keys_life", "7m", 7*time.Minute, func(j configs.JWT) any { return j.KeysLife }),
		"authn.jwt.allowed_networks":      token("authn.jwt.allowed_networks", `["127.0.0.0/8"]`, []string{"127.0.0.0/8"}, func(j configs.JWT) any { return j.AllowedNetworks }),
		"authn.jwt.scopes":                token("authn.jwt.scopes", `["tool:invoke"]`, []string{"tool:invoke"}, func(j configs.JWT) any { return j.Scopes }),
		"authn.jwt.claims.roles":          token("authn.jwt.claims.roles", "x", "x", func(j configs.JWT) any { return j.Claims.Roles }),
		"authn.jwt.claims.teams":          token("authn.jwt.claims.teams", "x", "x", func(j configs.JWT) any { return j.Claims.Teams }),
		"authn.jwt.claims.scopes":         token("authn.jwt.claims.scopes", "x", "x", func(j configs.JWT) any { return j.Claims.Scopes }),
		"proxy.tls.cert_file":             {other.pair(), listens(func(f certificateFiles) string { return f.cert }), other.cert},
		"proxy.tls.key_file":              {other.pair(), listens(func(f certificateFiles) string { return f.private }), other.key},
		"proxy.tls.client_ca_file":        one("proxy.tls.client_ca_file", other.authority, other.authority, listens(func(f certificateFiles) string { return f.authorities })),
		"authz.headers":                   one("authz.headers", `["X-Team"]`, []string{"x-team"}, proxied(func(o o) []string { return o.PolicyHeaders })),
		"authz.timeout":                   one("authz.timeout", "7s", 7*time.Second, func(g *gateway) any { return g.engine.Settings().Timeout }),
		"authz.timezone":                  one("authz.timezone", "Asia/Tokyo", "Asia/Tokyo", func(g *gateway) any { return g.engine.Settings().Location.String() }),
		"authz.policy_config":             one("authz.policy_config", `{"a":"b"}`, map[string]any{"a": "b"}, func(g *gateway) any { return g.engine.Settings().PolicyConfig }),
		"log.level":                       one("log.level", "warn", zapcore.WarnLevel, func(g *gateway) any { return g.o.Level.Level() }),
		"cache.enabled":                   one("cache.enabled", "false", true, proxied(func(o o) bool { return o.Cache == nil })),
		"cache.ttl":                       one("cache.ttl", "7s", 7*time.Second, proxied(func(o o) time.Duration { return o.CacheRules.Health })),
		"cache.server_list_ttl":           one("cache.server_list_ttl", "7s", 7*time.Second, proxied(func(o o) time.Duration { return o.CacheRules.ServerList })),
		"cache.server_detail_ttl":         one("cache.server_detail_ttl", "7s", 7*time.Second, proxied(func(o o) time.Duration { return o.CacheRules.ServerDetail })),
		"cache.cache_readiness":           one("cache.cache_readiness", "true", true, proxied(func(o o) bool { return o.CacheRules.Readiness })),
		"limits.auth_failures_per_minute": one("limits.auth_failures_per_minute", "0", true, proxied(func(o o) bool { return o.AuthFailures == nil })),
		"limits.principal_rate":           one("limits.principal_rate", "7", callsAMinute(7, 20), proxied(func(o o) limit.Rate { return o.Rates.Principal })),
		"limits.server_rate":              one("limits.server_rate", "7", callsAMinute(7, 100), proxied(func(o o) limit.Rate { return o.Rates.Server })),
		"limits.server_burst":             {map[string]any{"limits.server_rate": "7", "limits.server_burst": "3"}, proxied(func(o o) limit.Rate { return o.Rates.Server }), callsAMinute(7, 3)},
		"limits.tool_rate":                one("limits.tool_rate", "7", callsAMinute(7, 20), proxied(func(o o) limit.Rate { return o.Rates.Tool })),
		"limits.tool_burst":               {map[string]any{"limits.tool_rate": "7", "limits.tool_burst": "3"}, proxied(func(o o) limit.Rate { return o.Rates.Tool }), callsAMinute(7, 3)},
		"limits.principal_burst":          {map[string]any{"limits.principal_rate": "7", "limits.principal_burst": "3"}, proxied(func(o o) limit.Rate { return o.Rates.Principal }), callsAMinute(7, 3)},
		"audit.intent":                    one("audit.intent", "none", "none", proxied(func(o o) string { return o.Intent })),
		"audit.open_after":                one("audit.open_after", "7s", 7*time.Second, proxied(func(o o) time.Duration { return o.OpenAfter })),
		"audit.record_arguments":          one("audit.record_arguments", "true", `{"a":1}`, recorded),
		"audit.redact": {map[string]any{"audit.record_arguments": "true", "audit.redact": `["a"]`}, func(g *gateway) any {
			r := fmt.Sprint(recorded(g))
			return strings.Contains(r, `"a"`) && !strings.Contains(r, "1")
		}, true},
	}
}

// refused are live keys that other tests hold.
var refused = []string{
	"cache.debug_headers",
	"authn.jwt.key", // excludes jwks_url; its change makes another authenticator as that of jwks_url does
}

// files are a certificate, its key and an authority.
type files struct{ cert, key, authority string }

func newFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	ca := testkit.NewAuthority(t)
	cert, key := ca.Issue(t, nil).Write(t, dir)
	return files{cert, key, testkit.WriteFile(t, dir, "ca.pem", ca.PEM)}
}

func (f files) pair() map[string]any {
	return map[string]any{"proxy.tls.cert_file": f.cert, "proxy.tls.key_file": f.key}
}

// listens returns the files of the certificate of the proxy's listener, as they were read.
func listens(read func(certificateFiles) string) func(*gateway) any {
	return func(g *gateway) any {
		for f := range g.table.version().opened {
			if f.key == "proxy.tls" {
				return read(f)
			}
		}
		return "no certificate"
	}
}

// callsAMinute is a limit of calls a minute.
func callsAMinute(calls, burst int) limit.Rate {
	r, err := limit.NewRate(calls, time.Minute, burst)
	if err != nil {
		panic(err)
	}
	return r
}

func recorded(g *gateway) any {
	return proxied(func(o proxy.Options) string {
		if o.RecordArguments == nil {
			return ""
		}
		return string(o.RecordArguments([]byte(`{"a":1}`)))
	})(g)
}

// TestLiveKeys changes each key that is marked live under a running gateway, finds the new value where it works, and takes
// it back. A live key without a row fails.
func TestLiveKeys(t *testing.T) {
	base, other := newFiles(t), newFiles(t)
	dir := shortDir(t)
	flags := base.pair()
	maps.Copy(flags, map[string]any{
		"data_dir": dir, "proxy.listen": "127.0.0.1:0", "api.listen": "127.0.0.1:0", "admin.listen": "off", "log.level": "error",
		"proxy.tls.client_ca_file": base.authority, "proxy.servers": `[{"name":"desk","url":"http://127.0.0.1:1/mcp"}]`,
	})
	more := map[string]any{}
	load := func() (*configs.Loaded, error) {
		all := maps.Clone(flags)
		maps.Copy(all, more)
		return configs.Load(configs.Options{Flags: all})
	}
	g := running(t, load)
	rows := liveKeys(other)
	for _, key := range configs.Keys() {
		if !key.Live || strings.Contains(key.Path, "[]") || slices.Contains(refused, key.Path) {
			continue
		}
		row, ok := rows[key.Path]
		if !ok {
			t.Errorf("live key %s has no row", key.Path)
			continue
		}
		before := row.seen(g)
		more = row.set
		if err := g.reload(t.Context()); err != nil {
			t.Errorf("%s: %v", key.Path, err)
		}
		if diff := cmp.Diff(row.want, row.seen(g), cmp.AllowUnexported(limit.Rate{})); diff != "" || reflect.DeepEqual(before, row.want) {
			t.Errorf("%s was %v (-want +got):\n%s", key.Path, before, diff)
		}
		more = map[string]any{}
		if err := g.reload(t.Context()); err != nil {
			t.Errorf("%s: back: %v", key.Path, err)
		}
	}

	more = map[string]any{"proxy.deny_response": "tool_error", "proxy.tls.cert_file": dir + "/nowhere"}
	if err := g.reload(t.Context()); err == nil {
		t.Error("a configuration whose certificate cannot be read was applied")
	}
	if g.live.Load().Proxy.DenyResponse != "http" || g.table.check(t.Context()) == nil {
		t.Error("a broken configuration was applied in part, or nobody is told")
	}
	more = map[string]any{}
	if err := g.reload(t.Context()); err != nil || g.table.check(t.Context()) != nil {
		t.Errorf("mended, and the error is %v, the health %v", err, g.table.check(t.Context()))
	}
}

// TestDefaultsAgree compares what the data plane takes for options that nobody sets with the defaults of the configuration:
// who reads either should be right about both.
func TestDefaultsAgree(t *testing.T) {
	dir := shortDir(t)
	g := running(t, func() (*configs.Loaded, error) {
		return configs.Load(configs.Options{Flags: map[string]any{
			"data_dir": dir, "proxy.listen": "127.0.0.1:0", "api.listen": "off", "admin.listen": "off",
			"proxy.servers": `[{"name":"desk","url":"http://127.0.0.1:1/mcp"}]`,
		}})
	})
	configured := proxied(func(o proxy.Options) proxy.Options { return o })(g).(proxy.Options)
	h, err := proxy.New(proxy.Options{Authenticator: configured.Authenticator, Decider: configured.Decider, Recorder: configured.Recorder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)

	want, got := reflect.ValueOf(configured), reflect.ValueOf(h.Options())
	for i := range want.NumField() {
		switch want.Field(i).Kind() {
		case reflect.Int, reflect.Int64, reflect.String:
			if !want.Field(i).Equal(got.Field(i)) {
				t.Errorf("the default of proxy.Options.%s is %v, that of the configuration %v", want.Type().Field(i).Name, got.Field(i), want.Field(i))
			}
		}
	}
}

// shortDir is a directory whose path is short enough for a unix socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// running starts the parts of a gateway.
func running(t *testing.T, load func() (*configs.Loaded, error)) *gateway {
	t.Helper()
	loaded, err := load()
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(Options{Config: loaded, Log: zap.NewNop(), Level: zap.NewAtomicLevelAt(zap.ErrorLevel), Load: load})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.life.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := g.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}
