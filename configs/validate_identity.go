package configs

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	_ "time/tzdata" // Time zones must load in an image without a zone database.
)

var (
	keyID   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	keyHash = regexp.MustCompile(`^sha256:[0-9a-fA-F]{64}$`)
)

// checkAuthn checks whose credentials are accepted.
func checkAuthn(issues *Issues, c Config) {
	checkJWT(issues, c.Authn.JWT)
	seen := map[string]bool{}
	for i, key := range c.Authn.APIKeys {
		at := fmt.Sprintf("authn.api_keys[%d]", i)
		if key.ID != "" && !keyID.MatchString(key.ID) {
			issues.add(at+".id", quote(key.ID)+` is not right: write up to 32 lower-case letters, digits and "-"`)
		}
		if seen[key.ID] && key.ID != "" {
			issues.add(at+".id", quote(key.ID)+" is listed twice")
		}
		seen[key.ID] = true
		if key.Hash != "" && !keyHash.MatchString(key.Hash) {
			issues.add(at+".hash", `must be "sha256:" and 64 hex digits; sark apikey create prints it`)
		}
	}
	checkMTLS(issues, c.Authn.MTLS, c.Proxy.TLS)
}

// checkMTLS checks whose certificates are accepted.
func checkMTLS(issues *Issues, m MTLS, t TLS) {
	if m.on() && t.ClientCAFile == "" {
		issues.add("authn.mtls", "needs proxy.tls.client_ca_file, which verifies the certificates")
	}
	if len(m.Roles) > 0 && !m.on() {
		issues.add("authn.mtls.roles", "nobody has these roles: list trust_domains or names")
	}
	for i, domain := range m.TrustDomains {
		if domain == "" || strings.ContainsAny(domain, ":/ ") {
			issues.add(fmt.Sprintf("authn.mtls.trust_domains[%d]", i), quote(domain)+" is no trust domain: write it like example.org")
		}
	}
	for i, name := range m.Names {
		if name == "" || name != "*" && strings.Contains(name, "*") {
			issues.add(fmt.Sprintf("authn.mtls.names[%d]", i), quote(name)+" is no name: write it in full, or * alone for all")
		}
	}
}

// on tells whether client certificates are accepted at all.
func (m MTLS) on() bool { return len(m.TrustDomains) > 0 || len(m.Names) > 0 }

// on tells whether bearer tokens are configured at all.
func (j JWT) on() bool {
	return j.Issuer != "" || len(j.Audience) > 0 || j.JWKSURL != "" || j.Key != "" || len(j.Algorithms) > 0
}

// checkJWT checks that bearer tokens are configured wholly or not at all.
func checkJWT(issues *Issues, j JWT) {
	if !j.on() {
		return
	}
	if j.Issuer == "" {
		issues.add("authn.jwt.issuer", "is required: without it any issuer's token with a known key would do")
	}
	if len(j.Audience) == 0 || slices.Contains(j.Audience, "") {
		issues.add("authn.jwt.audience", "is required: without it a token that was made for another service would do")
	}
	switch {
	case j.JWKSURL == "" && j.Key == "":
		issues.add("authn.jwt", "needs one of jwks_url, key and key_file to verify signatures with")
	case j.JWKSURL != "" && j.Key != "":
		issues.add("authn.jwt", "set either jwks_url or key, not both")
	case j.JWKSURL != "":
		checkJWKSURL(issues, j.JWKSURL)
	case !publicKey(j.Key):
		issues.add("authn.jwt.key", "must be a public key: PEM blocks or a JWKS document")
	}
	checkNetworks(issues, "authn.jwt.allowed_networks", j.AllowedNetworks)
	checkAlgorithms(issues, j.Algorithms)
	checkScopes(issues, j.Scopes)
}

// checkJWKSURL refuses addresses on whose way keys could be replaced.
func checkJWKSURL(issues *Issues, text string) {
	const at = "authn.jwt.jwks_url"
	if plainRemote(text) {
		issues.add(at, "keys that come over plain HTTP can be replaced on the way: use https, or http on loopback")
		return
	}
	checkURL(issues, at, text, "https", "http")
}

// publicKey tells whether text looks like PEM or JWKS. What is inside is read
// by the part that verifies with it.
func publicKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	return block != nil && !strings.Contains(block.Type, "PRIVATE") ||
		strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
}

// checkAlgorithms refuses none, and HMAC, which everyone who can verify it
// could also make.
func checkAlgorithms(issues *Issues, algorithms []string) {
	known := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	for i, alg := range algorithms {
		if !slices.Contains(known, alg) {
			issues.add(fmt.Sprintf("authn.jwt.algorithms[%d]", i), fmt.Sprintf("%s is not accepted: choose from %s", quote(alg), strings.Join(known, ", ")))
		}
	}
}

// checkScopes refuses what cannot stand in a challenge (RFC 6749 section 3.3),
// and offline_access, which is between client and issuer.
func checkScopes(issues *Issues, scopes []string) {
	for i, s := range scopes {
		at := fmt.Sprintf("authn.jwt.scopes[%d]", i)
		switch {
		case s == "offline_access":
			issues.add(at, "offline_access is no scope of a resource: clients ask for it on their own")
		case s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			issues.add(at, quote(s)+" is no scope: write one per entry, without spaces and quotation marks")
		}
	}
}

// checkAuthz checks the policy decision point.
func checkAuthz(issues *Issues, a Authz) {
	if _, err := time.LoadLocation(a.Timezone); err != nil || a.Timezone == "" {
		issues.add("authz.timezone", quote(a.Timezone)+" is no time zone: write an IANA name such as UTC or Europe/Berlin")
	}
	for _, key := range []string{"bundles", "bundle", "discovery"} {
		if _, named := a.OPA[key]; named && a.Bundle != "" {
			issues.add("authz.bundle", "set either bundle or opa."+key+", not both")
		}
	}
	for i, name := range a.Headers {
		switch strings.ToLower(name) {
		case "", "authorization", "proxy-authorization", "cookie", "x-api-key":
			issues.add(fmt.Sprintf("authz.headers[%d]", i), quote(name)+" is empty or carries a credential: policies see the principal instead")
		}
		if strings.HasPrefix(strings.ToLower(name), "mcp-param-") {
			issues.add(fmt.Sprintf("authz.headers[%d]", i), quote(name)+" repeats an argument, or says so: policies see input.mcp.arguments instead, which is what the server reads")
		}
	}
}
