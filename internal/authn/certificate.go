package authn

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AnyName in MTLSOptions.Names accepts every certificate of the authorities that has no SPIFFE ID.
const AnyName = "*"

// MTLSOptions says which client certificates make a principal. That they come from a trusted authority was verified in the
// TLS handshake. At least one of TrustDomains and Names must hold something.
type MTLSOptions struct {
	// TrustDomains are the SPIFFE trust domains whose workloads are accepted, such as "example.org".
	TrustDomains []string
	// Names are the certificates without a SPIFFE ID that are accepted: by a DNS name that they are for, or by their common
	// name where they are for none. AnyName accepts all.
	Names []string
	// Roles are those of every such principal.
	Roles []string
}

func (o *MTLSOptions) check() error {
	if len(o.TrustDomains) == 0 && len(o.Names) == 0 {
		return errors.New("mtls: a trust domain or a name is required")
	}
	if slices.Contains(o.TrustDomains, "") || slices.Contains(o.Names, "") {
		return errors.New("mtls: a trust domain or name must not be empty")
	}
	return nil
}

// certificates turns verified client certificates into principals.
type certificates struct {
	domains, names map[string]bool
	roles          []string
	memory         *memory // by the certificate's bytes, and for nothing else: certificates are no secret
}

func newCertificates(o MTLSOptions, remembered int) (*certificates, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &certificates{domains: map[string]bool{}, names: map[string]bool{}, roles: clone(o.Roles), memory: newMemory(remembered)}
	for _, d := range o.TrustDomains {
		c.domains[strings.ToLower(d)] = true
	}
	for _, n := range o.Names {
		c.names[strings.ToLower(n)] = true
	}
	return c, nil
}

// verify returns who a certificate stands for. Its lifetime is checked each time: a connection may outlive it.
func (c *certificates) verify(cert *x509.Certificate, now time.Time) (*Principal, error) {
	switch {
	case now.After(cert.NotAfter):
		return nil, errCertExpired
	case now.Before(cert.NotBefore):
		return nil, errCertEarly
	}
	if v := c.memory.find(cert.Raw); v != nil {
		return v.principal, nil
	}
	p, err := c.principal(cert)
	if err != nil {
		return nil, err
	}
	c.memory.remember(&verified{credential: bytes.Clone(cert.Raw), principal: p, until: cert.NotAfter}, now)
	return p, nil
}

// principal reads who a certificate names: its SPIFFE ID, else a DNS name, else its common name.
func (c *certificates) principal(cert *x509.Certificate) (*Principal, error) {
	id, issuer, err := c.spiffe(cert)
	if err == nil && id == "" {
		id, err = c.name(cert)
		issuer = cert.Issuer.String()
	}
	switch {
	case err != nil:
		return nil, err
	case !plainName(id):
		return nil, errCertName
	}
	return &Principal{
		ID: id, Type: TypeService, Method: MethodMTLS, Issuer: issuer,
		Roles: c.roles, Teams: []string{}, Scopes: []string{},
		ExpiresAt: cert.NotAfter, Fingerprint: fingerprint(cert.Raw, id, c.roles),
	}, nil
}

// spiffe returns the SPIFFE ID of a certificate and that of its trust domain, "" when it has none. A certificate with a
// SPIFFE ID has no other URI and is no authority (X.509-SVID sections 2 and 5.2).
func (c *certificates) spiffe(cert *x509.Certificate) (id, domain string, err error) {
	if !slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return strings.EqualFold(u.Scheme, "spiffe") }) {
		return "", "", nil
	}
	if len(cert.URIs) != 1 || cert.IsCA || !wellFormed(cert.URIs[0]) {
		return "", "", errCertSPIFFE
	}
	u := cert.URIs[0]
	if !c.domains[u.Host] {
		return "", "", errCertDomain
	}
	return u.String(), "spiffe://" + u.Host, nil
}

// wellFormed reports whether a URI is a SPIFFE ID of a workload: a lower-case trust domain and a path of plain segments
// (SPIFFE-ID sections 2.1 and 2.2).
func wellFormed(u *url.URL) bool {
	if u.Scheme != "spiffe" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(u.String()) > 2048 {
		return false
	}
	if strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return false
	}
	segments := strings.Split(u.EscapedPath(), "/")
	if len(segments) < 2 || segments[0] != "" {
		return false
	}
	return !slices.ContainsFunc(segments[1:], func(s string) bool {
		return s == "" || s == "." || s == ".." || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") != ""
	})
}

// name returns the first accepted name of a certificate without a SPIFFE ID. The common name counts only where there is no
// DNS name (RFC 6125 section 6.4.4).
func (c *certificates) name(cert *x509.Certificate) (string, error) {
	names := cert.DNSNames
	if len(names) == 0 {
		names = []string{cert.Subject.CommonName}
	}
	for _, n := range names {
		if n != "" && (c.names[strings.ToLower(n)] || c.names[AnyName]) {
			return n, nil
		}
	}
	return "", errCertName
}
