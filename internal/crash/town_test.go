package crash_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"sark/internal/testkit"
)

// What the origins offer.
const (
	echoTool    = "echo"    // everybody's
	writeTool   = "write"   // of writers
	swingTool   = "swing"   // of swingers, while the policy's version is odd
	meteredTool = "metered" // of meters, and limited
	rootTool    = "probe"   // of administrators
	privateNote = "note://mine"
	publicNote  = "note://all"
	swingNote   = "note://swing" // like swingTool
)

// The limit of meteredTool: calls in a second, and at once.
const (
	meteredRate  = 2
	meteredBurst = 5
)

const audience = "https://chaos.example/mcp"

// principal is somebody who asks.
type principal struct {
	name  string
	roles []string
	key   string // "": with a token
}

func principals() []principal {
	key := func(id string) string { return "sark_" + id + "_" + id + "0123456789abcdefghijklmnopqrstuvwxyz" }
	return []principal{
		{"alice", []string{"reader"}, ""},
		{"bob", []string{"reader", "writer"}, ""},
		{"carol", []string{"reader"}, key("carol")},
		{"dave", []string{"reader", "swinger"}, key("dave")},
		{"meter", []string{"reader", "meter"}, key("meter")},
		{"root", []string{"admin"}, key("root")},
	}
}

func (p principal) is(role string) bool { return slices.Contains(p.roles, role) }

// may reports whether a tool may be used under a version of the policy.
func (p principal) may(tool string, version int) bool {
	switch tool {
	case echoTool:
		return true
	case writeTool:
		return p.is("writer") || p.is("admin")
	case swingTool:
		return p.is("swinger") && version%2 == 1 || p.is("admin")
	case meteredTool:
		return p.is("meter") || p.is("admin")
	default:
		return p.is("admin")
	}
}

// rego is a version of the policy.
func rego(version int) string {
	swingers := `"nobody"`
	if version%2 == 1 {
		swingers = `"swinger"`
	}
	return fmt.Sprintf(`package sark

default decision := {"allow": false, "reason": "not granted", "rule": "v%[1]d"}

decision := {"allow": true, "reason": "granted", "rule": "v%[1]d", "obligations": obligations} if granted

granted if "admin" in input.principal.roles

granted if {
	"reader" in input.principal.roles
	not input.action in {"tool:invoke", "resource:read"}
	not regex.match("^(server:(read|register|update|delete)|policy|audit|cache|apikey|health):?", input.action)
}

granted if {
	input.action == "tool:invoke"
	some role in input.principal.roles
	input.tool.name in {"reader": {"echo"}, "writer": {"write"}, "meter": {"metered"}, %[2]s: {"swing"}}[role]
}

granted if {
	input.action == "resource:read"
	"reader" in input.principal.roles
	not contains(input.mcp.uri, "swing")
}

granted if {
	input.action == "resource:read"
	%[2]s in input.principal.roles
	contains(input.mcp.uri, "swing")
}

obligations["limit"] := {"key": "tool", "rate": %[3]d, "period": 1, "burst": %[4]d} if {
	input.action == "tool:invoke"
	input.tool.name == "metered"
	not input.mcp.phase == "list"
}
`, version, swingers, meteredRate, meteredBurst)
}

// policy is what the gateways may be deciding by.
type policy struct {
	dir    string
	starts sync.RWMutex // locked while dir is written to, or what is in it is broken

	mu       sync.Mutex
	version  int
	probes   int
	changing bool // from before a version is written until every gateway decides by it
}

// inForce returns the version that every gateway decides by; false while that may be another one.
func (p *policy) inForce() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version, !p.changing
}

func (p *policy) set(version int, changing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version, p.changing = version, changing
}

func (p *policy) write(text string) error {
	return replaceFile(filepath.Join(p.dir, "policy.rego"), []byte(text))
}

// town is two gateways and all that is around them.
type town struct {
	t        *testing.T
	redis    *testkit.RedisServer
	url      string // of the database
	signer   *testkit.Signer
	policy   *policy
	desk     *origin // modern
	old      *origin // legacy
	replicas [2]*replica
	log      *output
	reports  *reports
	judge    *judge

	sessions sessions
	registry registry

	redisAway, databaseAway, keysAway trouble
}

// sessions are those with the old server, by whom they belong to.
type sessions struct {
	mu sync.Mutex
	by map[string]string
}

func (s *sessions) offer(who, session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string]string{}
	}
	s.by[who] = session
}

// foreign returns a session of somebody else's.
func (s *sessions) foreign(who string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, session := range s.by {
		if other != who {
			return session, true
		}
	}
	return "", false
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, redis: testkit.StartRedis(t), url: testkit.Postgres(t), signer: testkit.NewSigner(t), log: new(output), reports: new(reports)}
	w.policy = &policy{dir: t.TempDir(), version: 1}
	if err := w.policy.write(rego(1)); err != nil {
		t.Fatal(err)
	}
	tools := []string{echoTool, writeTool, swingTool, meteredTool, rootTool}
	w.desk, w.old = newOrigin(t, true, tools), newOrigin(t, false, tools)
	w.judge = newJudge(w)
	for n := range w.replicas {
		w.replicas[n] = newReplica(t, w, n)
	}
	return w
}

func (w *town) servers() []map[string]any {
	return []map[string]any{
		{"name": "desk", "url": w.desk.url(), "sensitivity_level": "low", "passthrough": []string{"/plain/mine", "/plain/all"}},
		{"name": "old", "url": w.old.url(), "sensitivity_level": "low", "cache_ttl": "60s"},
	}
}

func (w *town) proxySection() map[string]any {
	return map[string]any{
		"hidden_tools": "denied", "max_body_bytes": "64KiB", "drain_timeout": "3s",
		"timeouts": map[string]any{"first_byte": "4s"},
		"breaker":  map[string]any{"failures": 20},
		"registry": map[string]any{"allowed_networks": []string{"127.0.0.0/8"}},
	}
}

func (w *town) sections(r *replica) map[string]any {
	var keys []map[string]any
	for _, p := range principals() {
		if p.key != "" {
			sum := sha256.Sum256([]byte(p.key[len("sark_"+p.name+"_"):]))
			keys = append(keys, map[string]any{"id": p.name, "hash": "sha256:" + hex.EncodeToString(sum[:]), "subject": p.name, "roles": p.roles})
		}
	}
	return map[string]any{
		"authn": map[string]any{
			"jwt": map[string]any{
				"issuer": w.signer.Issuer(), "jwks_url": w.signer.JWKSURL(), "audience": []string{audience},
				"allowed_networks": []string{"127.0.0.0/8"}, "claims": map[string]any{"roles": "roles"},
			},
			"api_keys": keys,
		},
		"authz":  map[string]any{"bundle": w.policy.dir},
		"store":  map[string]any{"url": w.url},
		"redis":  map[string]any{"url": w.redis.URL(), "socket_timeout": "2s"},
		"cache":  map[string]any{"lookup_timeout": "100ms"},
		"limits": map[string]any{"auth_failures_per_minute": 100000, "timeout": "1s"}, // a busy machine is no trouble of Redis
		"audit": map[string]any{
			"spool_dir": r.spool, "max_bytes": "16MiB", "min_free": "off", "batch_interval": "50ms", "intent": "all", "refusals_per_minute": 1000000,
		},
		"log": map[string]any{"level": "error"},
	}
}

// token is a new token of a principal.
func (w *town) token(p principal) string {
	return w.signer.Sign(map[string]any{"sub": p.name, "roles": p.roles, "aud": audience})
}
