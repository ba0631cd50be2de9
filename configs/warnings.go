package configs

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Warnings returns one-line remarks on settings that are valid but open to
// attack or loss. They stop nothing.
func Warnings(c Config) []string {
	var w []string
	warn := func(is bool, format string, args ...any) {
		if is {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	warn(c.Authz.Mode == "shadow",
		"authz.mode: shadow passes all MCP traffic, whatever the policy says")
	warn(c.Authn.Anonymous.Allow && !Loopback(c.Proxy.Listen),
		"authn.anonymous.allow: everyone who reaches %s is admitted without a credential", c.Proxy.Listen)
	warn(c.API.Listen != "" && !Loopback(c.API.Listen),
		"api.listen: %s speaks plain HTTP to other hosts; put TLS before it", c.API.Listen)
	warn(c.Cache.DebugHeaders,
		"cache.debug_headers: X-Cache-Key tells callers what others have asked")
	warn(c.Audit.RecordArguments,
		"audit.record_arguments: the trail will hold what callers send to tools")
	warn(c.Audit.OnFull == "shed-low",
		"audit.on_full: shed-low drops events of low severity when the spool is full")
	warn(c.Audit.Retention != 0 && c.Audit.CompressAfter >= c.Audit.Retention,
		"audit.compress_after: nothing grows old enough to be compressed before audit.retention ends")
	for i, network := range c.Proxy.TrustedProxies {
		prefix, err := netip.ParsePrefix(network)
		warn(err == nil && prefix.Bits() == 0,
			"proxy.trusted_proxies[%d]: %s lets every client say which address it has", i, network)
	}
	warn(slices.Contains(c.Authn.MTLS.Names, "*"),
		"authn.mtls.names: * accepts every certificate of proxy.tls.client_ca_file; use it with an authority of your own only")
	w = append(w, unsignedBundles(c.Authz.OPA)...)
	redirect := c.Proxy.Mode == ModeRedirect
	warn(redirect && Loopback(c.Proxy.Listen),
		"proxy.listen: %s gets diverted connections of this host only; those of others are led to the address of their interface", c.Proxy.Listen)
	for i, s := range c.Proxy.Servers {
		warn(redirect && strings.HasPrefix(s.URL, "https:") && c.Proxy.TLS.CertFile == "",
			"proxy.servers[%d].url: who dials %s speaks TLS; set proxy.tls to a certificate that its clients accept", i, s.Name)
		warn(s.Authorization != "strip" && plainRemote(s.URL),
			"proxy.servers[%d].url: %s gets a credential over plain HTTP; use https", i, s.Name)
	}
	return w
}

// unsignedBundles warns of bundles whose signature nobody checks although there
// are keys to check it with: OPA checks it only where signing is there too.
func unsignedBundles(opa Object) (w []string) {
	if !verifies(opa) {
		return nil
	}
	bundles := section(opa, "bundles")
	for _, name := range slices.Sorted(maps.Keys(bundles)) {
		if section(bundles, name)["signing"] == nil {
			w = append(w, fmt.Sprintf("authz.opa.bundles.%s: authz.opa.keys is set and the signature of this bundle is not checked; "+
				"add signing: {keyid: KEY}, or unsigned bundles are taken", name))
		}
	}
	if discovery := section(opa, "discovery"); discovery != nil && discovery["signing"] == nil {
		w = append(w, "authz.opa.discovery: authz.opa.keys is set and the signature of this bundle is not checked; "+
			"add signing: {keyid: KEY}, or unsigned bundles are taken")
	}
	return w
}

// verifies tells whether an OPA configuration has a key that checks signatures.
// One with a private key is for requests to services.
func verifies(opa Object) bool {
	keys := section(opa, "keys")
	for name := range keys {
		if key := section(keys, name); key != nil && key["private_key"] == nil {
			return true
		}
	}
	return false
}

// section returns a mapping inside a free-form mapping; nil when there is none.
func section(o map[string]any, name string) map[string]any {
	inner, _ := o[name].(map[string]any)
	return inner
}

// plainRemote tells whether a URL goes to another host without TLS.
func plainRemote(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "http" && !Loopback(net.JoinHostPort(u.Hostname(), "0"))
}
