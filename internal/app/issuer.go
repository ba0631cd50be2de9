package app

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"sark/configs"
	"sark/internal/endpoint"
)

// issuerControl refuses addresses that the host of jwks_url must not resolve to (CWE-918): whoever answers for its name in the
// DNS would else choose what the gateway asks, such as the metadata service of its cloud. A host that is written as loopback
// has to be loopback.
func issuerControl(j configs.JWT) func(network, address string, c syscall.RawConn) error {
	allowed := networks(j.AllowedNetworks)
	if u, err := url.Parse(j.JWKSURL); err == nil && isLoopback(u.Hostname()) {
		allowed = endpoint.NewNetworks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	}
	return func(network, address string, c syscall.RawConn) error {
		if allowed.Control(network, address, c) != nil {
			return fmt.Errorf("%s is not in a network that authn.jwt.allowed_networks allows", address)
		}
		return nil
	}
}

// isLoopback reports whether a host is written as this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
