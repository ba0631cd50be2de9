package authn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
	"sark/internal/testkit"
)

// remote makes an Authenticator that fetches its keys from the issuer. A token with an unknown key always asks again.
func remote(t *testing.T, i *issuer, change func(*authn.JWTOptions)) *authn.Authenticator {
	t.Helper()
	o := authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, JWKSURL: i.URL, RefreshUnknown: time.Nanosecond}
	if change != nil {
		change(&o)
	}
	return newAuthenticator(t, authn.Options{JWT: &o})
}

// freshToken signs a token that was never seen before.
func freshToken(t *testing.T, key string) string {
	t.Helper()
	return testKeys()[key].sign(t, claims(map[string]any{"jti": strconv.FormatInt(time.Now().UnixNano(), 10)}), nil)
}

func TestRotation(t *testing.T) {
	keys := testKeys()
	i := newIssuer(t, keys["rsa"].jwk())
	a := remote(t, i, nil)
	old := freshToken(t, "rsa")
	outcome := func(token string) string {
		_, err := present(t, a, token)
		return code(t, err)
	}
	var got []string
	got = append(got, outcome(old), outcome(freshToken(t, "ed")))
	i.publish(t, keys["rsa"].jwk(), keys["ed"].jwk())
	got = append(got, outcome(freshToken(t, "ed")), outcome(old))
	i.publish(t, keys["ed"].jwk())
	got = append(got, outcome(freshToken(t, "other")), outcome(old), outcome(freshToken(t, "ed")))
	want := []string{
		"", authn.CodeInvalidToken, // before the new key is published
		"", "", // both keys are published
		authn.CodeInvalidToken, authn.CodeInvalidToken, "", // the old key is withdrawn, also for a token that is remembered
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithdrawnKeyIsNoticedInTheBackground(t *testing.T) {
	keys := testKeys()
	i := newIssuer(t, keys["rsa"].jwk(), keys["ed"].jwk())
	a := remote(t, i, func(o *authn.JWTOptions) {
		o.Refresh = 5 * time.Millisecond
		o.RefreshUnknown = time.Hour
	})
	token := freshToken(t, "rsa")
	if _, err := present(t, a, token); err != nil {
		t.Fatal(err)
	}
	i.publish(t, keys["ed"].jwk())
	i.awaitFetches(t, 3) // the one under way may be of the old document; when the third begins, the second is in force
	if _, err := present(t, a, token); code(t, err) != authn.CodeInvalidToken {
		t.Errorf("after the key was withdrawn: %v", err)
	}
}

func TestOutageKeepsTheLastKeys(t *testing.T) {
	for name, trouble := range map[string]http.HandlerFunc{
		"error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"hang-up":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"nonsense":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no keys":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"error":"x"}`)) },
		"too large": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, testKeys()["ed"].jwk())
			a := remote(t, i, nil)
			if _, err := present(t, a, freshToken(t, "ed")); err != nil {
				t.Fatal(err)
			}
			i.do(trouble)
			before := i.fetches.Load()
			if _, err := present(t, a, freshToken(t, "rsa")); code(t, err) != authn.CodeInvalidToken {
				t.Errorf("unknown key: %v", err)
			}
			if i.fetches.Load() == before {
				t.Error("the keys were not asked for")
			}
			if _, err := present(t, a, freshToken(t, "ed")); err != nil {
				t.Errorf("a new token of the key that was known: %v", err)
			}
		})
	}
}

// TestKeysEnd: keys that cannot be fetched again are not trusted for ever, for tokens that are remembered neither. They are
// back with the issuer.
func TestKeysEnd(t *testing.T) {
	ed := testKeys()["ed"]
	i := newIssuer(t, ed.jwk())
	a := remote(t, i, func(o *authn.JWTOptions) { o.KeysLife, o.Refresh = time.Millisecond, time.Millisecond })
	token := freshToken(t, "ed")
	if _, err := present(t, a, token); err != nil {
		t.Fatal(err)
	}
	i.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	testkit.Eventually(t, "the keys end", func() bool { return a.Ready() != nil })
	if _, err := present(t, a, token); code(t, err) != authn.CodeUnavailable {
		t.Errorf("after the keys' life: %v", err)
	}
	i.publish(t, ed.jwk())
	testkit.Eventually(t, "the keys are back", func() bool { return a.Ready() == nil })
	if _, err := present(t, a, token); err != nil {
		t.Errorf("after the issuer is back: %v", err)
	}
}

func TestUnavailableAtStart(t *testing.T) {
	i := newIssuer(t, testKeys()["ed"].jwk())
	works := *i.answer.Load()
	i.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	key, known := newKey(t, "ci")
	a := newAuthenticator(t, authn.Options{
		APIKeys:   []authn.APIKey{known},
		JWT:       &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, JWKSURL: i.URL, RefreshUnknown: time.Nanosecond},
		Anonymous: &authn.AnonymousOptions{},
	})
	if _, err := present(t, a, freshToken(t, "ed")); code(t, err) != authn.CodeUnavailable {
		t.Errorf("without keys: %v", err)
	}
	if a.Ready() == nil {
		t.Error("Ready without keys")
	}
	if _, err := present(t, a, key); err != nil {
		t.Errorf("API keys need no issuer: %v", err)
	}
	i.do(works)
	if _, err := present(t, a, freshToken(t, "ed")); err != nil {
		t.Errorf("with keys: %v", err)
	}
	if err := a.Ready(); err != nil {
		t.Errorf("Ready with keys: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	a := newAuthenticator(t, authn.Options{JWT: &authn.JWTOptions{Issuer: issuerName, Audience: []string{audience}, JWKSURL: gone.URL}})
	if _, err := present(t, a, freshToken(t, "ed")); code(t, err) != authn.CodeUnavailable {
		t.Error(err)
	}
}

func TestSlowIssuer(t *testing.T) {
	i := newIssuer(t)
	over := make(chan struct{})
	defer close(over)
	i.do(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	a := remote(t, i, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := a.Authenticate(ctx, authn.Credentials{Authorization: []byte("Bearer " + freshToken(t, "ed"))})
	if code(t, err) != authn.CodeUnavailable {
		t.Errorf("error %v", err)
	}
	a.Close() // does not wait for the issuer either
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestSlowIssuerIsGivenUp(t *testing.T) {
	i := newIssuer(t)
	i.do(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a := remote(t, i, func(o *authn.JWTOptions) { o.FetchTimeout = 20 * time.Millisecond })
	if _, err := present(t, a, freshToken(t, "ed")); code(t, err) != authn.CodeUnavailable {
		t.Errorf("error %v", err)
	}
}

// TestUnknownKeysAreRateLimited shows that a flood of tokens with made-up keys does not reach the issuer.
func TestUnknownKeysAreRateLimited(t *testing.T) {
	i := newIssuer(t, testKeys()["ed"].jwk())
	a := remote(t, i, func(o *authn.JWTOptions) { o.RefreshUnknown = time.Hour })
	for range 50 {
		if _, err := present(t, a, freshToken(t, "rsa")); code(t, err) != authn.CodeInvalidToken {
			t.Fatal(err)
		}
	}
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("%d fetches, want the one at start and one more", n)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := newIssuer(t, testKeys()["ed"].jwk())
	i := newIssuer(t)
	i.do(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	a := remote(t, i, nil)
	if _, err := present(t, a, freshToken(t, "ed")); code(t, err) != authn.CodeUnavailable {
		t.Errorf("redirected to another host: %v", err)
	}
	if n := elsewhere.fetches.Load(); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}

	doc := jwks(t, testKeys()["ed"].jwk())
	i.do(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		_, _ = w.Write(doc)
	})
	if _, err := present(t, a, freshToken(t, "ed")); err != nil {
		t.Errorf("redirected within the host: %v", err)
	}

	i.do(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	if _, err := present(t, a, freshToken(t, "rsa")); code(t, err) != authn.CodeInvalidToken {
		t.Errorf("redirected in circles: %v", err)
	}
}

// TestControl: every connection to the issuer is asked about after its name was resolved, those of redirects too, so that a
// name that leads elsewhere the second time leads nowhere.
func TestControl(t *testing.T) {
	for name, limit := range map[string]int64{"refused": 0, "refused after a redirect": 1} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			doc := jwks(t, testKeys()["ed"].jwk())
			i.do(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/moved" {
					http.Redirect(w, r, "/moved", http.StatusFound)
					return
				}
				_, _ = w.Write(doc)
			})
			var dials atomic.Int64
			a := remote(t, i, func(o *authn.JWTOptions) {
				o.Refresh = time.Hour
				o.Control = func(_, address string, _ syscall.RawConn) error {
					if "http://"+address != i.URL {
						t.Errorf("asked about %s", address)
					}
					if dials.Add(1) > limit {
						return errors.New("not this address")
					}
					return nil
				}
			})
			if _, err := present(t, a, freshToken(t, "ed")); code(t, err) != authn.CodeUnavailable {
				t.Errorf("a token: %v", err)
			}
			if err := a.Ready(); err == nil || !strings.Contains(err.Error(), "not this address") {
				t.Errorf("ready: %v, want why there are no keys", err)
			}
			if n := i.fetches.Load(); n != limit {
				t.Errorf("the issuer was asked %d times, want %d", n, limit)
			}
		})
	}
}

// TestMixedKeySet shows that keys which are not for verifying signatures, or malformed, neither count nor take others away.
func TestMixedKeySet(t *testing.T) {
	keys := testKeys()
	forEncryption, withOtherUse, otherAlgorithm := keys["other"].jwk(), keys["p256"].jwk(), keys["rsa"].jwk()
	forEncryption["use"] = "enc"
	withOtherUse["key_ops"] = []string{"deriveKey"}
	otherAlgorithm["alg"] = "RS512"
	i := newIssuer(t,
		map[string]any{"kty": "oct", "kid": "shared", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
		map[string]any{"kty": "RSA", "kid": "broken", "n": "!", "e": 7},
		map[string]any{"kty": "OKP", "kid": "x", "crv": "X25519", "x": strings.Repeat("A", 43)},
		forEncryption, withOtherUse, otherAlgorithm, keys["ed"].jwk(),
	)
	a := remote(t, i, nil)
	got := map[string]string{}
	for _, name := range []string{"ed", "other", "p256", "rsa"} {
		_, err := present(t, a, freshToken(t, name))
		got[name] = code(t, err)
	}
	want := map[string]string{"ed": "", "other": authn.CodeInvalidToken, "p256": authn.CodeInvalidToken, "rsa": authn.CodeInvalidToken}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEmptyKeySet shows that an issuer that withdraws all its keys is taken at its word.
func TestEmptyKeySet(t *testing.T) {
	i := newIssuer(t, testKeys()["ed"].jwk())
	a := remote(t, i, nil)
	token := freshToken(t, "ed")
	if _, err := present(t, a, token); err != nil {
		t.Fatal(err)
	}
	i.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) })
	_, _ = present(t, a, freshToken(t, "rsa")) // makes the keys be fetched
	if _, err := present(t, a, token); code(t, err) != authn.CodeInvalidToken {
		t.Errorf("after all keys were withdrawn: %v", err)
	}
}
