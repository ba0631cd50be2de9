package authn_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
)

// newKey makes a key and what is known of it.
func newKey(t testing.TB, id string) (string, authn.APIKey) {
	t.Helper()
	key, hash, err := authn.NewAPIKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return key, authn.APIKey{ID: id, Hash: hash, Subject: id + "-bot", Roles: []string{"service"}}
}

func TestAuthenticate(t *testing.T) {
	key, known := newKey(t, "ci")
	expiredKey, expired := newKey(t, "old")
	expired.ExpiresAt = noon
	revokedKey, revoked := newKey(t, "bad")
	revoked.Revoked = true
	_, other := newKey(t, "ci")
	forged := strings.Replace(key, "sark_ci_", "sark_old_", 1)
	rsa := testKeys()["rsa"]
	token := rsa.sign(t, claims(nil), nil)
	o := authn.Options{
		APIKeys: []authn.APIKey{known, expired, revoked},
		JWT:     &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: rsa.pem(t)},
	}
	open := o
	open.Anonymous = &authn.AnonymousOptions{Roles: []string{"guest"}}
	closed := newAuthenticator(t, o)
	anonymous := newAuthenticator(t, open)
	elsewhere := newAuthenticator(t, authn.Options{APIKeys: []authn.APIKey{other}})

	header := func(s string) authn.Credentials { return authn.Credentials{Authorization: []byte(s)} }
	apiKey := func(s string) authn.Credentials { return authn.Credentials{APIKey: []byte(s)} }
	for _, c := range []struct {
		name        string
		a           *authn.Authenticator
		credentials authn.Credentials
		id, code    string
	}{
		{"key as bearer", closed, header("Bearer " + key), "ci-bot", ""},
		{"key in its own header", closed, apiKey(key), "ci-bot", ""},
		{"scheme in another case", closed, header("bEARER  " + key), "ci-bot", ""},
		{"token", closed, header("Bearer " + token), "alice", ""},
		{"token again, from memory", closed, header("Bearer " + token), "alice", ""},
		{"nothing, anonymous refused", closed, authn.Credentials{}, "", authn.CodeNoCredential},
		{"nothing, anonymous allowed", anonymous, authn.Credentials{}, "anonymous", ""},
		{"both headers", closed, authn.Credentials{Authorization: []byte("Bearer " + key), APIKey: []byte(key)}, "", authn.CodeBothCredentials},
		{"both headers, one empty", anonymous, authn.Credentials{Authorization: []byte("Bearer " + key), APIKey: []byte{}}, "", authn.CodeBothCredentials},
		{"token in the key's header", closed, apiKey(token), "", authn.CodeInvalidKey},
		{"empty key", anonymous, apiKey(""), "", authn.CodeInvalidKey},
		{"empty authorization", anonymous, header(""), "", authn.CodeInvalidToken},
		{"scheme only", anonymous, header("Bearer "), "", authn.CodeInvalidToken},
		{"scheme and spaces", anonymous, header("Bearer    "), "", authn.CodeInvalidToken},
		{"basic", anonymous, header("Basic YTpi"), "", authn.CodeInvalidToken},
		{"no scheme", anonymous, header(token), "", authn.CodeInvalidToken},
		{"bad token is not anonymous", anonymous, header("Bearer x.y.z"), "", authn.CodeInvalidToken},
		{"wrong secret", elsewhere, apiKey(key), "", authn.CodeInvalidKey},
		{"secret of another id", closed, apiKey(forged), "", authn.CodeInvalidKey},
		{"unknown id", elsewhere, apiKey(strings.Replace(key, "_ci_", "_cd_", 1)), "", authn.CodeInvalidKey},
		{"key cut short", closed, apiKey(key[:len(key)-1]), "", authn.CodeInvalidKey},
		{"key with a tail", closed, apiKey(key + "A"), "", authn.CodeInvalidKey},
		{"huge key", closed, apiKey(key + strings.Repeat("A", 1<<20)), "", authn.CodeInvalidKey},
		{"expired key", closed, apiKey(expiredKey), "", authn.CodeInvalidKey},
		{"revoked key", closed, apiKey(revokedKey), "", authn.CodeInvalidKey},
		{"token where none is accepted", elsewhere, header("Bearer " + token), "", authn.CodeInvalidToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := c.a.Authenticate(context.Background(), c.credentials)
			var id string
			if p != nil {
				id = p.ID
			}
			if diff := cmp.Diff([2]string{c.id, c.code}, [2]string{id, code(t, err)}); diff != "" {
				t.Error(diff)
			}
			if (p == nil) == (err == nil) {
				t.Errorf("Authenticate = %v, %v: neither or both", p, err)
			}
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), key)) {
				t.Errorf("the error quotes the credential: %v", err)
			}
		})
	}
}

func TestAPIKeyPrincipal(t *testing.T) {
	key, known := newKey(t, "ci")
	known.Teams, known.Scopes, known.ExpiresAt = []string{"platform"}, []string{"mcp:call"}, noon.Add(time.Hour)
	a := newAuthenticator(t, authn.Options{APIKeys: []authn.APIKey{known}})
	known.Teams[0] = "changed by the owner of the options"

	got, err := present(t, a, key)
	if err != nil {
		t.Fatal(err)
	}
	want := &authn.Principal{
		ID: "ci-bot", Type: authn.TypeService, Method: authn.MethodAPIKey, KeyID: "ci",
		Roles: []string{"service"}, Teams: []string{"platform"}, Scopes: []string{"mcp:call"},
		ExpiresAt: noon.Add(time.Hour), Fingerprint: got.Fingerprint,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Fingerprint == ([32]byte{}) || got.Fingerprint == authn.Anonymous(nil).Fingerprint {
		t.Error("the fingerprint is not the key's own")
	}
}

// TestAPIKeyNamedAnonymous shows that a key's id cannot be chosen so that it shares the anonymous caller's cache.
func TestAPIKeyNamedAnonymous(t *testing.T) {
	key, known := newKey(t, "anonymous")
	a := newAuthenticator(t, authn.Options{APIKeys: []authn.APIKey{known}})
	p, err := present(t, a, key)
	if err != nil {
		t.Fatal(err)
	}
	if p.Fingerprint == authn.Anonymous(nil).Fingerprint {
		t.Error("a key named anonymous has the fingerprint of anonymous callers")
	}
}

func TestNewRefusesWrongOptions(t *testing.T) {
	_, good := newKey(t, "ci")
	key := func(change func(*authn.APIKey)) authn.Options {
		k := good
		change(&k)
		return authn.Options{APIKeys: []authn.APIKey{k}}
	}
	rsa := testKeys()["rsa"]
	token := func(change func(*authn.JWTOptions)) authn.Options {
		o := authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: rsa.pem(t)}
		change(&o)
		return authn.Options{JWT: &o}
	}
	url := func(u string) authn.Options {
		return token(func(o *authn.JWTOptions) { o.Key, o.JWKSURL = nil, u })
	}
	for name, o := range map[string]authn.Options{
		"same id twice":   {APIKeys: []authn.APIKey{good, good}},
		"bad id":          key(func(k *authn.APIKey) { k.ID = "C_I" }),
		"no subject":      key(func(k *authn.APIKey) { k.Subject = "" }),
		"subject a line":  key(func(k *authn.APIKey) { k.Subject = "a\r\nX-Sark-Roles: admin" }),
		"no hash":         key(func(k *authn.APIKey) { k.Hash = [32]byte{} }),
		"no issuer":       token(func(o *authn.JWTOptions) { o.Issuer = "" }),
		"no audience":     token(func(o *authn.JWTOptions) { o.Audience = nil }),
		"empty audience":  token(func(o *authn.JWTOptions) { o.Audience = []string{""} }),
		"no key":          token(func(o *authn.JWTOptions) { o.Key = nil }),
		"two keys":        token(func(o *authn.JWTOptions) { o.JWKSURL = "https://idp.example/jwks" }),
		"key of nonsense": token(func(o *authn.JWTOptions) { o.Key = []byte("secret") }),
		"no usable key": token(func(o *authn.JWTOptions) {
			o.Key = jwks(t, map[string]any{"kty": "oct", "k": "c2VjcmV0"})
		}),
		"hmac":          token(func(o *authn.JWTOptions) { o.Algorithms = []string{"HS256"} }),
		"none":          token(func(o *authn.JWTOptions) { o.Algorithms = []string{"none"} }),
		"large leeway":  token(func(o *authn.JWTOptions) { o.Leeway = time.Hour }),
		"plain http":    url("http://idp.example/jwks"),
		"http, no host": url("http:///jwks"),
		"file":          url("file:///etc/jwks"),
		"user in url":   url("https://me:secret@idp.example/jwks"),
		"not a url":     url("://"),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := authn.New(o)
			if err == nil {
				a.Close()
				t.Error("no error")
			}
		})
	}
}

func TestHitDoesNotAllocate(t *testing.T) {
	key, known := newKey(t, "ci")
	rsa := testKeys()["rsa"]
	a := newAuthenticator(t, authn.Options{
		APIKeys: []authn.APIKey{known},
		JWT:     &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: rsa.pem(t)},
	})
	for name, credential := range map[string]string{"key": key, "token": rsa.sign(t, claims(nil), nil)} {
		c := authn.Credentials{Authorization: []byte("Bearer " + credential)}
		got := testing.AllocsPerRun(1000, func() {
			if _, err := a.Authenticate(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// TestManyCredentials fills the memory beyond its bound: all credentials go on working, and none gets another's principal.
func TestManyCredentials(t *testing.T) {
	rsa := testKeys()["ed"]
	a := newAuthenticator(t, authn.Options{
		JWT:        &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: rsa.pem(t)},
		Remembered: 16,
	})
	subjects := map[string]string{}
	for i := range 200 {
		subject := "user-" + strings.Repeat("x", i)
		subjects[subject] = rsa.sign(t, claims(map[string]any{"sub": subject}), nil)
	}
	for range 3 {
		for subject, token := range subjects {
			p, err := present(t, a, token)
			if err != nil || p.ID != subject {
				t.Fatalf("token of %s: %v, %v", subject, p, err)
			}
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	key, known := newKey(b, "ci")
	rsa := testKeys()["rsa"]
	o := authn.Options{
		APIKeys: []authn.APIKey{known},
		JWT:     &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, Key: rsa.pem(b)},
	}
	run := func(name string, a *authn.Authenticator, credential string) {
		b.Run(name, func(b *testing.B) {
			c := authn.Credentials{Authorization: []byte("Bearer " + credential)}
			b.ReportAllocs()
			b.SetBytes(int64(len(credential)))
			for b.Loop() {
				if _, err := a.Authenticate(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	a := newAuthenticator(b, o)
	run("hit/key", a, key)
	run("hit/token", a, rsa.sign(b, claims(nil), nil))
	run("hit/token 4 KiB", a, rsa.sign(b, claims(map[string]any{"pad": strings.Repeat("x", 2600)}), nil))
	// A token that is longer than what is remembered is checked in full each time.
	run("full/token", a, rsa.sign(b, claims(map[string]any{"pad": strings.Repeat("x", 8000)}), nil))
}
