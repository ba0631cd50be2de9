package authn_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"sark/internal/authn"
	"sark/internal/testkit"
)

// TestFingerprints: a fingerprint is that of one credential and of what servers are told about its bearer.
func TestFingerprints(t *testing.T) {
	cert := func() *x509.Certificate { return testkit.NewAuthority(t).IssueNamed(t, "ci.internal").Leaf }
	one, other := cert(), cert()
	const secret = "0123456789abcdef0123456789abcdef"
	withSecret := func(secret string, change func(*authn.APIKey)) [32]byte {
		known := authn.APIKey{ID: "ci", Hash: authn.HashSecret(secret), Subject: "ci-bot", Roles: []string{"service"}}
		if change != nil {
			change(&known)
		}
		p, err := present(t, newAuthenticator(t, authn.Options{APIKeys: []authn.APIKey{known}}), "sark_ci_"+secret)
		if err != nil {
			t.Fatal(err)
		}
		return p.Fingerprint
	}
	byKey := func(change func(*authn.APIKey)) [32]byte { return withSecret(secret, change) }
	byCert := func(c *x509.Certificate, roles ...string) [32]byte {
		a := newAuthenticator(t, authn.Options{MTLS: &authn.MTLSOptions{Names: []string{authn.AnyName}, Roles: roles}, Now: time.Now})
		p, err := a.Authenticate(context.Background(), authn.Credentials{Certificate: c})
		if err != nil {
			t.Fatal(err)
		}
		return p.Fingerprint
	}
	if byKey(func(k *authn.APIKey) { k.Teams = []string{"of no matter to servers"} }) != byKey(nil) {
		t.Error("a key has two fingerprints")
	}
	seen := map[[32]byte]string{}
	for name, f := range map[string][32]byte{
		"key":                        byKey(nil),
		"key of another subject":     byKey(func(k *authn.APIKey) { k.Subject = "eve" }),
		"key with other roles":       byKey(func(k *authn.APIKey) { k.Roles = []string{"viewer"} }),
		"key without roles":          byKey(func(k *authn.APIKey) { k.Roles = nil }),
		"key with a role of two":     byKey(func(k *authn.APIKey) { k.Roles = []string{"ab"} }),
		"key with two roles":         byKey(func(k *authn.APIKey) { k.Roles = []string{"a", "b"} }),
		"key with another secret":    withSecret("fedcba9876543210fedcba9876543210", nil),
		"certificate":                byCert(one),
		"certificate with a role":    byCert(one, "service"),
		"another certificate":        byCert(other),
		"anonymous":                  authn.Anonymous(nil).Fingerprint,
		"anonymous as viewer":        authn.Anonymous([]string{"viewer"}).Fingerprint,
		"anonymous as viewer, admin": authn.Anonymous([]string{"viewer", "admin"}).Fingerprint,
	} {
		if same, taken := seen[f]; taken {
			t.Errorf("%q and %q have one fingerprint", name, same)
		}
		seen[f] = name
	}
}
