package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle" //nolint:depguard // the test is the signer of bundles, which the gateway is not

	"sark/internal/testkit"
)

// bundles is a bundle server that has no bundle at first and counts how often it was asked.
type bundles struct {
	body  atomic.Pointer[[]byte]
	asked atomic.Int64
}

// ServeHTTP implements http.Handler.
func (b *bundles) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	defer b.asked.Add(1)
	body := b.body.Load()
	if body == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(*body)
}

// offer serves a body, nil for none, and waits until it was looked at: when the second request from now on is answered, the
// reply to the first was dealt with.
func (b *bundles) offer(t *testing.T, body []byte) {
	t.Helper()
	if b.body.Store(nil); body != nil {
		b.body.Store(&body)
	}
	before := b.asked.Load()
	testkit.Eventually(t, "the bundle is fetched", func() bool { return b.asked.Load() >= before+3 })
}

// pack makes a bundle that allows everything, signed with the key.
func pack(t *testing.T, key *ecdsa.PrivateKey, revision string) []byte {
	t.Helper()
	return packManifest(t, key, bundle.Manifest{Revision: revision})
}

func packManifest(t *testing.T, key *ecdsa.PrivateKey, manifest bundle.Manifest) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	module := []byte("package sark\n\ndecision := {\"allow\": true, \"rule\": \"bundle\"}\n")
	b := bundle.Bundle{
		Manifest: manifest,
		Data:     map[string]any{},
		Modules:  []bundle.ModuleFile{{URL: "policy.rego", Path: "/policy.rego", Raw: module}},
	}
	config := bundle.NewSigningConfig(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), "ES256", "")
	if err := b.GenerateSignature(config, "ops", false); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := bundle.NewWriter(&packed).UseModulePath(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// TestBundleServer runs a gateway whose policy is a signed bundle of another server. Without one it is not ready and denies;
// with one it keeps the last good one, whatever the server does.
func TestBundleServer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var source bundles
	server := httptest.NewServer(&source)
	t.Cleanup(server.Close)
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp", opaConfig(t, server.URL, key)))
	c := over(g.Proxy, newKey(t, dir, "viewer"))
	for _, step := range []struct {
		name        string
		body        []byte
		call, ready int
	}{
		{"down at start", nil, 403, 503},
		{"a stranger's at start", pack(t, stranger, "1"), 403, 503},
		{"good", pack(t, key, "1"), 200, 200},
		{"a stranger's", pack(t, stranger, "2"), 200, 200},
		{"down", nil, 200, 200},
	} {
		source.offer(t, step.body)
		if r := c.post(t, "/mcp", toolCall("wipe")); r.Status != step.call {
			t.Errorf("%s: a call gets %d %s, want %d", step.name, r.Status, r.Body, step.call)
		}
		testkit.Eventually(t, step.name+": readiness", func() bool { // probes are answered from a check of a moment ago
			return over(g.Admin, "").get(t, "/health/ready").Status == step.ready
		})
	}
}

// TestBundleServerRollsBack: a gateway that is started again denies everything rather than take an older signed bundle, and
// takes it when its number was removed from the file in data_dir.
func TestBundleServerRollsBack(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var source bundles
	server := httptest.NewServer(&source)
	t.Cleanup(server.Close)
	dir := dataDir(t)
	file := configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp", opaConfig(t, server.URL, key))
	viewer := newKey(t, dir, "viewer")
	numbered := func(n int) []byte {
		return packManifest(t, key, bundle.Manifest{Revision: "r", Metadata: map[string]any{"sequence": n}})
	}
	for _, step := range []struct {
		name     string
		sequence int
		allow    bool
		call     int
	}{
		{"new", 10, false, 200},
		{"old", 9, false, 403},
		{"old, on purpose", 9, true, 200},
	} {
		if step.allow {
			if err := os.Remove(filepath.Join(dir, "policy-sequences.json")); err != nil {
				t.Fatal(err)
			}
		}
		source.body.Store(nil) // else the gateway may begin with what the step before has left
		g := start(t, file)
		source.offer(t, numbered(step.sequence))
		if r := over(g.Proxy, viewer).post(t, "/mcp", toolCall("wipe")); r.Status != step.call {
			t.Errorf("%s: a call gets %d %s, want %d", step.name, r.Status, r.Body, step.call)
		}
		g.stop(t)
	}
}

// opaConfig is the authz section for signed bundles of that server.
func opaConfig(t *testing.T, url string, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"opa": map[string]any{
		"services": map[string]any{"ops": map[string]any{"url": url}},
		"keys":     map[string]any{"ops": map[string]any{"algorithm": "ES256", "key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}},
		"bundles": map[string]any{"sark": map[string]any{
			"service": "ops", "resource": "sark.tar.gz", "signing": map[string]any{"keyid": "ops"},
			"polling": map[string]any{"min_delay_seconds": 0, "max_delay_seconds": 0},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return "authz: " + string(config)
}
