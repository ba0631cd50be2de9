package authz_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"

	"sark/authz"
)

// signingKey is a pair of keys in PEM.
type signingKey struct{ private, public string }

func newSigningKey(t *testing.T) signingKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
	}
	return signingKey{block("EC PRIVATE KEY", private), block("PUBLIC KEY", public)}
}

// sign packs and signs the policy of a revision, and lets change spoil it afterwards.
func (k signingKey) sign(t *testing.T, n int, change func(*bundle.Bundle)) []byte {
	t.Helper()
	return k.signFiles(t, numbered(n), change)
}

func (k signingKey) signFiles(t *testing.T, files map[string]string, change func(*bundle.Bundle)) []byte {
	t.Helper()
	b, err := bundle.NewCustomReader(bundle.NewDirectoryLoader(writeFiles(t, files))).Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(k.private, "ES256", ""), "ops", false); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&b)
	}
	var packed bytes.Buffer
	if err := bundle.NewWriter(&packed).Write(b); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// signedBundles is the OPA configuration of a bundle server whose bundles have to be signed.
func signedBundles(url string, key signingKey) map[string]any {
	return map[string]any{
		"services": map[string]any{"bundles": map[string]any{"url": url}},
		"keys":     map[string]any{"ops": map[string]any{"algorithm": "ES256", "key": key.public}},
		"bundles": map[string]any{"sark": map[string]any{
			"service": "bundles", "resource": "b.tar.gz", "trigger": "manual", "signing": map[string]any{"keyid": "ops"},
		}},
	}
}

// TestSignedBundles follows an engine whose bundles must be signed, on a server that fails in every way: nothing is allowed
// before the first good bundle, and only a good one takes the place of another. A revision is a name and not a number: an
// older one that is served again is a roll-back, which comes into force and shows in Revision, unless bundles are numbered.
func TestSignedBundles(t *testing.T) {
	var bundles bundleServer
	server := httptest.NewServer(&bundles)
	defer server.Close()
	key, stranger := newSigningKey(t), newSigningKey(t)
	e := open(t, authz.Options{OPA: signedBundles(server.URL, key)})
	tamper := func(b *bundle.Bundle) { b.Data["number"] = "3" }
	for _, step := range []struct {
		name, revision string
		ok             bool
		body           []byte
	}{
		{"down at start", "", false, nil},
		{"unsigned at start", "", false, packBundle(t, 1)},
		{"a stranger's at start", "", false, stranger.sign(t, 1, nil)},
		{"first", "1", true, key.sign(t, 1, nil)},
		{"unsigned", "1", false, packBundle(t, 2)},
		{"a stranger's", "1", false, stranger.sign(t, 2, nil)},
		{"changed after it was signed", "1", false, key.sign(t, 2, tamper)},
		{"down", "1", false, nil},
		{"next", "2", true, key.sign(t, 2, nil)},
		{"roll-back", "1", true, key.sign(t, 1, nil)},
	} {
		bundles.body.Store(nil)
		if step.body != nil {
			bundles.serve(step.body)
		}
		err := e.Reload(t.Context())
		if (err == nil) != step.ok || (e.LastError() == nil) != step.ok || e.Revision() != step.revision {
			t.Errorf("%s: error %v, last error %v, revision %q", step.name, err, e.LastError(), e.Revision())
		}
		d := e.Decide(t.Context(), callTool(analyst(), `{}`))
		if ready := step.revision != ""; d.Allow != ready || (e.Ready() == nil) != ready || ready && d.Revision != step.revision {
			t.Errorf("%s: ready %v, decision %+v", step.name, e.Ready(), d)
		}
	}
}
