package authn_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/authn"
	"sark/internal/testkit"
)

func TestCertificates(t *testing.T) {
	ca := testkit.NewAuthority(t)
	commonName := func(name string, dns ...string) *x509.Certificate {
		return ca.Issue(t, func(c *x509.Certificate) {
			c.Subject, c.DNSNames, c.IPAddresses = pkix.Name{CommonName: name}, dns, nil
		}).Leaf
	}
	named := func(names ...string) *x509.Certificate { return ca.IssueNamed(t, names...).Leaf }
	authority := ca.Issue(t, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.DNSNames = true, true, nil
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/ci"}}
	}).Leaf
	long := "spiffe://example.org/" + strings.Repeat("a", 2048)
	all := []string{authn.AnyName}
	for _, tt := range []struct {
		name  string
		names []string
		cert  *x509.Certificate
		id    string
		code  string
	}{
		{"workload", nil, named("spiffe://example.org/ns/prod/sa/ci"), "spiffe://example.org/ns/prod/sa/ci", ""},
		{"workload with a DNS name", nil, named("spiffe://example.org/ci", "ci.internal"), "spiffe://example.org/ci", ""},
		{"workload of another domain", all, named("spiffe://evil.org/ci"), "", authn.CodeInvalidCertificate},
		{"domain that ends alike", all, named("spiffe://notexample.org/ci"), "", authn.CodeInvalidCertificate},
		{"domain with a port", all, named("spiffe://example.org:80/ci"), "", authn.CodeInvalidCertificate},
		{"domain with a user", all, named("spiffe://a@example.org/ci"), "", authn.CodeInvalidCertificate},
		{"domain in capitals", all, named("spiffe://EXAMPLE.org/ci"), "", authn.CodeInvalidCertificate},
		{"scheme in capitals", nil, named("SPIFFE://example.org/ci"), "spiffe://example.org/ci", ""}, // as url.Parse reads it
		{"no path", all, named("spiffe://example.org"), "", authn.CodeInvalidCertificate},
		{"root path", all, named("spiffe://example.org/"), "", authn.CodeInvalidCertificate},
		{"dots in the path", all, named("spiffe://example.org/a/../ci"), "", authn.CodeInvalidCertificate},
		{"escapes in the path", all, named("spiffe://example.org/c%69"), "", authn.CodeInvalidCertificate},
		{"query", all, named("spiffe://example.org/ci?a=b"), "", authn.CodeInvalidCertificate},
		{"fragment", all, named("spiffe://example.org/ci#a"), "", authn.CodeInvalidCertificate},
		{"too long", all, named(long), "", authn.CodeInvalidCertificate},
		{"two workloads", all, named("spiffe://example.org/ci", "spiffe://example.org/cd"), "", authn.CodeInvalidCertificate},
		{"a workload and another URI", all, named("spiffe://example.org/ci", "https://example.org/"), "", authn.CodeInvalidCertificate},
		{"an authority as a workload", all, authority, "", authn.CodeInvalidCertificate},
		{"DNS name, none accepted", nil, named("ci.internal"), "", authn.CodeInvalidCertificate},
		{"DNS name, accepted", []string{"CI.internal"}, named("other.internal", "ci.internal"), "ci.internal", ""},
		{"DNS name, another accepted", []string{"cd.internal"}, named("ci.internal"), "", authn.CodeInvalidCertificate},
		{"DNS name, any accepted", all, named("ci.internal", "cd.internal"), "ci.internal", ""},
		{"common name", []string{"ci"}, commonName("ci"), "ci", ""},
		{"common name beside a DNS name", []string{"ci"}, commonName("ci", "evil.internal"), "", authn.CodeInvalidCertificate},
		{"common name with controls", all, commonName("a\nb"), "", authn.CodeInvalidCertificate},
		{"no name at all", all, commonName(""), "", authn.CodeInvalidCertificate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, authn.Options{
				MTLS:      &authn.MTLSOptions{TrustDomains: []string{"example.org"}, Names: tt.names, Roles: []string{"service"}},
				Now:       time.Now,
				Anonymous: &authn.AnonymousOptions{}, // a refused certificate must not become anonymous
			})
			for range 2 { // the second time from memory
				p, err := a.Authenticate(context.Background(), authn.Credentials{Certificate: tt.cert})
				if tt.code != "" {
					if err == nil || authn.CodeOf(err) != tt.code || p != nil {
						t.Fatalf("principal %+v, error %v", p, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				issuer := "CN=test authority"
				if strings.HasPrefix(tt.id, "spiffe:") {
					issuer = "spiffe://example.org"
				}
				want := &authn.Principal{
					ID: tt.id, Type: authn.TypeService, Method: authn.MethodMTLS, Issuer: issuer,
					Roles: []string{"service"}, Teams: []string{}, Scopes: []string{},
					ExpiresAt: tt.cert.NotAfter, Fingerprint: p.Fingerprint,
				}
				if d := cmp.Diff(want, p); d != "" {
					t.Errorf("principal (-want +got):\n%s", d)
				}
			}
		})
	}
}

// TestCertificateLifetime checks a certificate that was good once: connections may outlive it.
func TestCertificateLifetime(t *testing.T) {
	cert := testkit.NewAuthority(t).IssueNamed(t, "ci.internal").Leaf
	now := cert.NotBefore
	a := newAuthenticator(t, authn.Options{
		MTLS: &authn.MTLSOptions{Names: []string{authn.AnyName}}, Now: func() time.Time { return now },
	})
	for _, step := range []struct {
		now  time.Time
		code string
	}{
		{cert.NotBefore, ""},
		{cert.NotAfter, ""},
		{cert.NotAfter.Add(time.Second), authn.CodeInvalidCertificate},
		{cert.NotBefore.Add(-time.Second), authn.CodeInvalidCertificate},
	} {
		now = step.now
		_, err := a.Authenticate(context.Background(), authn.Credentials{Certificate: cert})
		if (err == nil) != (step.code == "") || err != nil && authn.CodeOf(err) != step.code {
			t.Errorf("at %s: %v", now, err)
		}
	}
}

// TestCertificatePrecedence: what a header says goes before a certificate, also when the header is refused.
func TestCertificatePrecedence(t *testing.T) {
	key, known := newKey(t, "ci")
	cert := testkit.NewAuthority(t).IssueNamed(t, "spiffe://example.org/mesh").Leaf
	with := authn.Options{Now: time.Now, APIKeys: []authn.APIKey{known}, MTLS: &authn.MTLSOptions{TrustDomains: []string{"example.org"}}}
	without := authn.Options{APIKeys: []authn.APIKey{known}}
	for _, tt := range []struct {
		name     string
		o        authn.Options
		c        authn.Credentials
		id, code string
	}{
		{"certificate alone", with, authn.Credentials{Certificate: cert}, "spiffe://example.org/mesh", ""},
		{"key and certificate", with, authn.Credentials{APIKey: []byte(key), Certificate: cert}, "ci-bot", ""},
		{"bearer and certificate", with, authn.Credentials{Authorization: []byte("Bearer " + key), Certificate: cert}, "ci-bot", ""},
		{"wrong key and certificate", with, authn.Credentials{APIKey: []byte(key + "x"), Certificate: cert}, "", authn.CodeInvalidKey},
		{"empty header and certificate", with, authn.Credentials{Authorization: []byte{}, Certificate: cert}, "", authn.CodeInvalidToken},
		{"all three", with, authn.Credentials{Authorization: []byte("Bearer " + key), APIKey: []byte(key), Certificate: cert}, "", authn.CodeBothCredentials},
		{"certificates not accepted", without, authn.Credentials{Certificate: cert}, "", authn.CodeNoCredential},
		{"a certificate as a token", with, authn.Credentials{Authorization: append([]byte("Bearer "), cert.Raw...)}, "", authn.CodeInvalidToken},
	} {
		a := newAuthenticator(t, tt.o)
		if tt.name == "a certificate as a token" { // it is in memory by now, and must not be found as a token
			if _, err := a.Authenticate(context.Background(), authn.Credentials{Certificate: cert}); err != nil {
				t.Fatal(err)
			}
		}
		p, err := a.Authenticate(context.Background(), tt.c)
		if err != nil {
			if got := authn.CodeOf(err); got != tt.code {
				t.Errorf("%s: code %q, want %q", tt.name, got, tt.code)
			}
			continue
		}
		if p.ID != tt.id {
			t.Errorf("%s: principal %q, want %q", tt.name, p.ID, tt.id)
		}
	}
}

func TestCertificateOptions(t *testing.T) {
	for _, o := range []authn.MTLSOptions{{}, {Roles: []string{"a"}}, {TrustDomains: []string{""}}, {Names: []string{""}}} {
		if _, err := authn.New(authn.Options{MTLS: &o}); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestCertificateAllocations: a certificate that is known costs no allocation.
func TestCertificateAllocations(t *testing.T) {
	cert := testkit.NewAuthority(t).IssueNamed(t, "spiffe://example.org/ci").Leaf
	a := newAuthenticator(t, authn.Options{Now: time.Now, MTLS: &authn.MTLSOptions{TrustDomains: []string{"example.org"}}})
	c := authn.Credentials{Certificate: cert}
	n := testing.AllocsPerRun(100, func() {
		if _, err := a.Authenticate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
