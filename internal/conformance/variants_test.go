//go:build conformance

package conformance_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/internal/conformance"
	"sark/internal/rig"
	"sark/internal/testkit"
)

// variant is one way to stand between the suite and the reference servers.
type variant struct {
	name string
	// bare says that there is no gateway in it.
	bare bool
	// place sets up what stands before the servers, given by the URL of each leg's, and returns where the suite finds
	// each leg instead. What it returns besides, if anything, is looked at when both legs are through.
	place func(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T))
}

func variants() []variant {
	return []variant{
		{name: "relay", bare: true, place: placeRelay}, // Whose changes must not be what the others differ by.
		{name: "cache_off", place: placeOneEach},
		{name: "cache_on", place: placeCached},
		{name: "tls_by_path", place: placeTLS},
		{name: "redirect", place: placeRedirect},
	}
}

// allowAll lets every check reach the upstream: what is tested is the way there and back.
const allowAll = `package sark

decision := {"allow": true, "reason": "allow all", "rule": "allow_all"}
`

func placeRelay(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T)) {
	sites := make(map[string]conformance.Site)
	for leg, url := range servers {
		sites[leg] = conformance.Site{URL: lifetimes(t, url, nil)}
	}
	return sites, nil
}

// placeOneEach gives each server a gateway, which serves it at the server's own path.
func placeOneEach(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T)) {
	sites := make(map[string]conformance.Site)
	for leg, url := range servers {
		g := gateway(t, rig.GatewayOptions{Upstream: url, Sections: cache(false)})
		sites[leg] = conformance.Site{URL: "http://" + g.Proxy + "/mcp"}
	}
	return sites, nil
}

// placeCached is placeOneEach with a cache that has something to do.
func placeCached(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T)) {
	sites := make(map[string]conformance.Site)
	gateways := make(map[string]*rig.Gateway)
	for leg, url := range servers {
		g := gateway(t, rig.GatewayOptions{Upstream: lifetimes(t, url, nil), Sections: cache(true)})
		gateways[leg] = g
		sites[leg] = conformance.Site{URL: "http://" + g.Proxy + "/mcp"}
	}
	return sites, func(t *testing.T) {
		for _, leg := range conformance.Legs() {
			if leg.Stateless { // Only the modern era knows how long a reply stays fresh.
				wantHits(t, gateways[leg.Name])
			}
		}
	}
}

// placeTLS puts all servers behind one gateway, each at /NAME/mcp, with TLS on both of its sides and the cache on.
func placeTLS(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T)) {
	ca, dir := testkit.NewAuthority(t), t.TempDir()
	id := ca.Issue(t, func(c *x509.Certificate) {
		c.DNSNames = append(c.DNSNames, "evil.example.com") // As whom the suite's DNS rebinding check calls: Node asks for it.
	})
	authority := testkit.WriteFile(t, dir, "ca.crt", ca.PEM)
	cert, key := id.Write(t, dir)
	o := rig.GatewayOptions{
		Proxy:    map[string]any{"tls": map[string]any{"cert_file": cert, "key_file": key}},
		Sections: cache(true),
	}
	for leg, url := range servers {
		o.Servers = append(o.Servers, map[string]any{
			"name": leg, "url": lifetimes(t, url, &tls.Config{Certificates: []tls.Certificate{id.Pair(t)}}),
			"sensitivity_level": "low", "tls": map[string]any{"ca_file": authority},
		})
	}
	g := gateway(t, o)
	sites := make(map[string]conformance.Site)
	for leg := range servers {
		sites[leg] = conformance.Site{URL: "https://" + g.Proxy + "/" + leg + "/mcp", CAFile: authority}
	}
	return sites, func(t *testing.T) { wantHits(t, g) }
}

// The listener and the user of a gateway in redirect mode.
const (
	redirectPort = 15001
	redirectUser = 65532
)

// placeRedirect has the suite dial the very URLs of a direct run, in a network namespace whose packet rules lead the
// connections to one gateway. The relays have a side in both networks.
func placeRedirect(t *testing.T, servers map[string]string) (map[string]conformance.Site, func(*testing.T)) {
	n := namespace(t)
	sites := make(map[string]conformance.Site)
	o := rig.GatewayOptions{
		Place: rig.Place{Namespace: n, UID: redirectUser}, Listen: fmt.Sprintf(":%d", redirectPort),
		Proxy: map[string]any{"mode": "redirect"}, Sections: cache(true),
	}
	var ports []string
	for leg, address := range servers {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		l, err := n.Listen(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		lifetimesOn(t, address, l, nil)
		o.Servers = append(o.Servers, map[string]any{"name": leg, "url": address, "sensitivity_level": "low"})
		sites[leg] = conformance.Site{URL: address, Namespace: n}
		ports = append(ports, u.Port())
	}
	g := gateway(t, o)
	rules := fmt.Sprintf(`table inet sark { chain local { type nat hook output priority -100; policy accept;
		meta skuid %d return
		ip daddr 127.0.0.1 tcp dport { %s } redirect to :%d
	}; }`, redirectUser, strings.Join(ports, ", "), redirectPort)
	if _, err := n.Run(t.Context(), rules, "nft", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	return sites, func(t *testing.T) { wantHits(t, g) } // Without the rules nothing would come from there.
}

// namespace makes a network namespace. Where that cannot be done the variant is skipped and says so; in CI as root it fails.
func namespace(t *testing.T) *rig.Namespace {
	t.Helper()
	n, err := rig.NewNamespace(t.Context())
	if err != nil && os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("NOT TESTED: redirect mode, for which root, ip and nft are needed: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func cache(enabled bool) map[string]any {
	return map[string]any{"cache": map[string]any{"enabled": enabled}}
}

func wantHits(t *testing.T, g *rig.Gateway) {
	t.Helper()
	hits, err := g.Counter(t.Context(), "sark_cachemw_lookups_total", map[string]string{"result": "hit"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f replies came from the cache", hits)
	if hits == 0 {
		t.Error("no reply came from the cache")
	}
}

// lifetimes puts the relay before a reference server; it speaks TLS when it gets a configuration for it.
func lifetimes(t *testing.T, target string, secure *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lifetimesOn(t, target, l, secure)
}

// lifetimesOn is lifetimes on a listener of the caller.
func lifetimesOn(t *testing.T, target string, l net.Listener, secure *tls.Config) string {
	t.Helper()
	h, err := conformance.Lifetimes(target)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close() // It has opened one of its own.
	s.Listener = l
	if secure == nil {
		s.Start()
	} else {
		s.TLS = secure
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.CloseClientConnections() // A standing GET stream would keep Close waiting.
		s.Close()
	})
	return s.URL + "/mcp"
}

// gateway starts the gateway under test for the rest of the test, for callers without a name.
func gateway(t *testing.T, o rig.GatewayOptions) *rig.Gateway {
	t.Helper()
	o.Binary = os.Getenv(binaryVariable)
	if o.Binary == "" {
		t.Fatalf("%s is not set: it names the gateway to test; `make conformance` builds it and sets the variable", binaryVariable)
	}
	o.Dir, o.Log = t.TempDir(), t.Output()
	bundle := filepath.Join(o.Dir, "policy")
	testkit.WriteFile(t, bundle, "allow.rego", []byte(allowAll))
	if o.Place.UID != 0 {
		if err := os.Chmod(filepath.Dir(o.Dir), 0o711); err != nil { // Else its user could not pass.
			t.Fatal(err)
		}
	}
	o.Sections["authn"] = map[string]any{"anonymous": map[string]any{"allow": true, "roles": []string{"anonymous"}}}
	o.Sections["authz"] = map[string]any{"bundle": bundle}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := rig.StartGateway(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, g.Process) })
	return g
}
