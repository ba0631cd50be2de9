package app_test

import (
	"crypto/ed25519"
	"os"
	"testing"

	"sark/internal/app"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/sqlite"
)

// TestTrailIsSigned makes calls, over a restart too, and verifies the trail that they leave, while the gateway runs.
func TestTrailIsSigned(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	file := configure(t, dir, upstream.URL()+"/mcp", "audit: {batch_interval: 10ms}")
	key := newKey(t, dir, "analyst")
	for range 2 {
		g := start(t, file)
		for range 10 {
			over(g.Proxy, key).post(t, "/mcp", toolCall("note"))
		}
		g.stop(t)
	}
	start(t, file)

	signer, err := store.ReadDigestKey(app.DigestKeyPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	trail, err := sqlite.OpenTrail(t.Context(), app.DatabasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	v, err := store.Verify(t.Context(), trail, store.VerifyOptions{
		Keys: []ed25519.PublicKey{signer.Public()}, Found: func(f store.Finding) { t.Errorf("found %+v", f) },
	})
	if err != nil || v.Events != 20 || v.Writers != 1 || v.Digests < 2 {
		t.Errorf("verified %+v, error %v", v, err)
	}
	if err := trail.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(app.DigestKeyPath(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, error %v", info, err)
	}
}
