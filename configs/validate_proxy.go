package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// pathName is what a server may be called: one plain path segment.
var pathName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// UnixPeers in proxy.trusted_proxies stands for whoever connects over a unix
// socket.
const UnixPeers = "unix:"

// MaxBuffered is the largest reply, and the largest event, that is read as a
// whole. An event is held three times at most: as it came, its data put
// together, and as it goes on.
const MaxBuffered Bytes = 16 << 20

// checkProxy checks the data plane without its servers.
func checkProxy(issues *Issues, c Config) {
	p := c.Proxy
	if c.DataDir == "" {
		issues.add("data_dir", "is required: name a directory that only SARK may read")
	}
	if p.PublicURL != "" {
		checkPublicURL(issues, p.PublicURL)
	}
	for i, host := range p.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/ @?#*") {
			issues.add(fmt.Sprintf("proxy.allowed_hosts[%d]", i), quote(host)+" is no host name: write it without scheme, path and wildcard")
		}
	}
	for i, origin := range p.AllowedOrigins {
		if !isOrigin(origin) {
			issues.add(fmt.Sprintf("proxy.allowed_origins[%d]", i), quote(origin)+" is no origin: write scheme://host or scheme://host:port")
		}
	}
	for i, origin := range p.CORSOrigins {
		if !isOrigin(origin) {
			issues.add(fmt.Sprintf("proxy.cors_origins[%d]", i), quote(origin)+" is no origin: write scheme://host or scheme://host:port")
		}
	}
	for i, era := range p.Eras {
		if era != "legacy" && era != "modern" {
			issues.add(fmt.Sprintf("proxy.eras[%d]", i), quote(era)+" is no era: write legacy or modern")
		}
	}
	if len(p.Eras) == 0 {
		issues.add("proxy.eras", "is empty, so nothing would be served: write legacy, modern or both")
	}
	if p.DrainGrace > p.DrainTimeout {
		issues.add("proxy.drain_grace", fmt.Sprintf("is longer than proxy.drain_timeout, which is %s and holds it", p.DrainTimeout))
	}
	if need := p.MaxBodyBytes + 3*MaxBuffered; p.MaxHeldBytes < need {
		issues.add("proxy.max_held_bytes", fmt.Sprintf("is %s, and one request with its reply may hold %s: proxy.max_body_bytes and %s", p.MaxHeldBytes, need, 3*MaxBuffered))
	}
	if need := 2 * p.MaxBodyBytes; p.MaxArrivingBytes < need {
		issues.add("proxy.max_arriving_bytes", fmt.Sprintf("is %s, and must have room for two requests of proxy.max_body_bytes: %s", p.MaxArrivingBytes, need))
	}
	checkPeers(issues, "proxy.trusted_proxies", p.TrustedProxies)
	checkPeers(issues, "proxy.proxy_protocol.trusted", p.ProxyProtocol.Trusted)
	if p.ProxyProtocol.Enabled && len(p.ProxyProtocol.Trusted) == 0 {
		issues.add("proxy.proxy_protocol.trusted", "is required: list the networks of the load balancers that send PROXY headers")
	}
	checkNetworks(issues, "proxy.registry.allowed_networks", p.Registry.AllowedNetworks)
	checkTLS(issues, p.TLS)
	checkMode(issues, p)
}

// checkPeers checks a list of networks in which UnixPeers may stand, too.
func checkPeers(issues *Issues, at string, networks []string) {
	for i, network := range networks {
		if _, err := netip.ParsePrefix(network); err != nil && network != UnixPeers {
			issues.add(fmt.Sprintf("%s[%d]", at, i), quote(network)+" is no network: write it like 10.0.0.0/8, one address like 10.0.0.1/32")
		}
	}
}

// checkNetworks checks a list of networks.
func checkNetworks(issues *Issues, at string, networks []string) {
	for i, network := range networks {
		if _, err := netip.ParsePrefix(network); err != nil {
			issues.add(fmt.Sprintf("%s[%d]", at, i), quote(network)+" is no network: write it like 10.0.0.0/8, one address like 10.0.0.1/32")
		}
	}
}

// IsServerName reports whether a server of this name can be reached at
// /NAME/mcp.
func IsServerName(name string) bool { return pathName.MatchString(name) }

// checkPublicURL checks an address that paths are appended to.
func checkPublicURL(issues *Issues, text string) {
	const at = "proxy.public_url"
	checkURL(issues, at, text, "https", "http")
	if strings.Contains(text, "?") {
		issues.add(at, "holds a query: leave it out, since paths are appended")
	}
}

// checkTLS checks that the files of a certificate are complete.
func checkTLS(issues *Issues, t TLS) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		issues.add("proxy.tls.key_file", "is required with cert_file")
	case t.CertFile == "" && t.KeyFile != "":
		issues.add("proxy.tls.cert_file", "is required with key_file")
	case t.CertFile == "" && t.ClientCAFile != "":
		issues.add("proxy.tls.cert_file", "is required with client_ca_file")
	}
}

// isOrigin tells whether text is an origin in the sense of RFC 6454.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() == text
}

// checkServers checks the MCP servers.
func checkServers(issues *Issues, c Config) {
	seen := map[string]int{}
	for i, s := range c.Proxy.Servers {
		at := fmt.Sprintf("proxy.servers[%d]", i)
		if s.Name != "" {
			if first, twice := seen[s.Name]; twice {
				issues.add(at+".name", fmt.Sprintf("%q is already the name of proxy.servers[%d]", s.Name, first))
			} else {
				seen[s.Name] = i
			}
		}
		checkServer(issues, at, s)
		checkElsewhere(issues, at+".url", s.URL, c.Proxy.Listen)
		checkAuthorization(issues, at, s, c.Authn.JWT)
	}
}

// checkElsewhere checks that a server is not the gateway's own listener, whose requests would come back to it for ever. What
// leads there by another name is not known here.
func checkElsewhere(issues *Issues, at, text, listen string) {
	u, err := url.Parse(text)
	if err != nil || u.Port() == "" || !Loopback(u.Host) {
		return
	}
	host, port, err := net.SplitHostPort(listen)
	everywhere := host == "" || host == "0.0.0.0" || host == "::"
	if err == nil && port == u.Port() && (everywhere || Loopback(listen)) {
		issues.add(at, quote(u.Redacted())+" is proxy.listen itself: write the address of the MCP server, or move proxy.listen")
	}
}

// checkServer checks one MCP server without its credentials.
func checkServer(issues *Issues, at string, s Server) {
	if s.Name != "" && !pathName.MatchString(s.Name) {
		issues.add(at+".name", quote(s.Name)+` is no path name: write up to 64 letters, digits, "_" and "-"`)
	}
	switch {
	case strings.HasPrefix(s.URL, unixScheme):
		checkSocketURL(issues, at+".url", s.URL)
	case s.URL != "":
		checkURL(issues, at+".url", s.URL, "http", "https")
	}
	checkUpstreamTLS(issues, at, s)
	if s.Health.Path != "" && !strings.HasPrefix(s.Health.Path, "/") {
		issues.add(at+".health.path", quote(s.Health.Path)+" is no path: write it like /healthz")
	}
	for j, p := range s.Passthrough {
		if !strings.HasPrefix(p, "/") || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" || strings.ContainsAny(p, "?#%*\\") {
			issues.add(fmt.Sprintf("%s.passthrough[%d]", at, j), quote(p)+" is no exact path: write it like /docs/index, without query, escapes and wildcards")
		}
	}
	names := make([]string, 0, len(s.Tools))
	for j, tool := range s.Tools {
		if tool.Name != "" && slices.Contains(names, tool.Name) {
			issues.add(fmt.Sprintf("%s.tools[%d].name", at, j), fmt.Sprintf("%q is listed twice", tool.Name))
		}
		names = append(names, tool.Name)
	}
}

// checkSocketURL checks the address of a server on a unix socket.
func checkSocketURL(issues *Issues, at, text string) {
	u, err := url.Parse(text)
	if err == nil && u.Host == "" && u.User == nil && u.Fragment == "" {
		socket, request, found := strings.Cut(u.Path, ":")
		if path.IsAbs(socket) && (!found || request == "" || path.IsAbs(request)) {
			return
		}
	}
	issues.add(at, quote(text)+" is no address of a unix socket: write it like unix:///path/to.sock:/mcp")
}

// checkUpstreamTLS checks that the files of a certificate are complete, and
// that there is TLS for them.
func checkUpstreamTLS(issues *Issues, at string, s Server) {
	switch t := s.TLS; {
	case t == (UpstreamTLS{}):
	case !strings.HasPrefix(s.URL, "https:"):
		issues.add(at+".tls", "is used by https only: write url with https, or leave it out")
	case t.CertFile != "" && t.KeyFile == "":
		issues.add(at+".tls.key_file", "is required with cert_file")
	case t.CertFile == "" && t.KeyFile != "":
		issues.add(at+".tls.cert_file", "is required with key_file")
	}
}

// checkAuthorization checks that a server has what its authorization needs,
// and no credential that would be left unused.
func checkAuthorization(issues *Issues, at string, s Server, jwt JWT) {
	switch {
	case s.Authorization == "static" && s.Token == "":
		issues.add(at+".token", "is required for authorization: static; write token_file to keep it in a file")
	case s.Authorization != "static" && s.Token != "":
		issues.add(at+".token", "is used by authorization: static only; leave it out")
	}
	switch {
	case s.Authorization == "exchange" && s.Exchange.ClientID == "":
		issues.add(at+".exchange.client_id", "is required for authorization: exchange")
	case s.Authorization != "exchange" && s.Exchange != (TokenExchange{}):
		issues.add(at+".exchange", "is used by authorization: exchange only; leave it out")
	}
	if s.Authorization == "exchange" {
		checkURL(issues, at+".exchange.token_url", s.Exchange.TokenURL, "https", "http")
	}
	if s.Authorization == "forward" && (s.Resource == "" || !slices.Contains(jwt.Audience, s.Resource)) {
		issues.add(at+".resource", "must be one of authn.jwt.audience for authorization: forward, so that no server gets a token that was meant for another")
	}
}

// checkURL checks an absolute address without user, password and fragment.
func checkURL(issues *Issues, at, text string, schemes ...string) {
	want := "write it like " + schemes[0] + "://host/path"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		issues.add(at, "is no URL: "+want)
	case !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		issues.add(at, quote(u.Redacted())+" is not right: "+want)
	case u.User != nil:
		issues.add(at, "holds a user or password: move it to a secret key")
	case u.Fragment != "":
		issues.add(at, "holds a fragment (#"+u.Fragment+"): leave it out")
	}
}
