package proxy_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/proxy"
)

// setup is what a test may change about its gateway before it starts.
type setup struct {
	proxy.Options
	// Listener are the limits of the listener.
	Listener proxy.ListenerOptions
	// MCP is the kind of upstream that is started when the test names no Servers.
	MCP testkit.MCPOptions
	// Server changes the server that stands for that upstream; nil changes nothing.
	Server func(*proxy.ServerOptions)
	// On is the socket; nil takes a free port of loopback.
	On net.Listener
	// ClientTLS is how Dial connects; nil is plain HTTP.
	ClientTLS *tls.Config
	// Anonymous admits callers without a credential.
	Anonymous bool
}

// gateway is the data plane on a real socket, with real authentication and a real policy, before a scripted upstream. Its
// audit trail is kept in memory.
type gateway struct {
	// URL is "http://127.0.0.1:port", or https and Addr the same without the scheme.
	URL, Addr string
	// Upstream is the MCP server behind it, served at /desk/mcp and /mcp; nil when the test named Servers.
	Upstream *testkit.MCPUpstream
	// Trail holds what was recorded.
	Trail *trail
	// Asked holds what the policy was asked.
	Asked *questions

	server  *proxy.Server
	handler *proxy.Handler
	options proxy.Options // in force
	metrics *prometheus.Registry
	client  *tls.Config
}

// newGateway starts a gateway that ends with the test. Its defaults: API keys for the roles of keyFor, the built-in policy,
// and one server "desk" whose tool "echo" is harmless and whose tool "wipe" is critical. At the end it fails the test when
// an exchange was recorded twice, reserved room that it never used, or is still
// charged for bytes.
func newGateway(t testing.TB, change func(*setup)) *gateway {
	t.Helper()
	s := &setup{}
	g := &gateway{Trail: newTrail(), Asked: &questions{}, metrics: prometheus.NewRegistry()}
	s.Recorder, s.Registerer = g.Trail, g.metrics
	s.Listener.IdleTimeout = testkit.Patience
	if change != nil {
		change(s)
	}
	if s.Authenticator == nil {
		s.Authenticator = newAuthenticator(t, s.Anonymous)
	}
	if s.Decider == nil {
		s.Decider = newEngine(t, "")
	}
	g.Asked.decider = s.Decider
	s.Decider = g.Asked
	if len(s.Servers) == 0 {
		g.Upstream = testkit.NewMCPUpstream(t, s.MCP)
		desk := deskServer(g.Upstream.URL() + "/mcp")
		if s.Server != nil {
			s.Server(&desk)
		}
		s.Servers = []proxy.ServerOptions{desk}
	}
	h, err := proxy.New(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	g.client, g.handler, g.options = s.ClientTLS, h, s.Options
	g.serve(t, h, s)
	return g
}

func (g *gateway) serve(t testing.TB, h *proxy.Handler, s *setup) {
	t.Helper()
	o, l := s.Listener, s.On
	if l == nil {
		l = listen(t)
	}
	g.Addr = l.Addr().String()
	g.URL = "http://" + g.Addr
	if o.TLS != nil {
		g.URL = "https://" + g.Addr
	}
	g.server = proxy.NewServer(h, o)
	done := make(chan error, 1)
	go func() { done <- g.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := g.server.Shutdown(ctx); err != nil {
			t.Errorf("shut down the gateway: %v", err)
		}
		if err := testkit.Wait(t, 0, done); err != nil {
			t.Errorf("serve: %v", err)
		}
		h.Close()
		g.Trail.check(t)
		if g.metrics != nil && s.Registerer == prometheus.Registerer(g.metrics) && g.held(t) != 0 {
			t.Errorf("%d bytes are still held for somebody", g.held(t))
		}
		if g.metrics != nil && s.Registerer == prometheus.Registerer(g.metrics) && g.arriving(t) != 0 {
			t.Errorf("%d bytes are still arriving", g.arriving(t))
		}
	})
}

// Dial opens a connection to the gateway.
func (g *gateway) Dial(t testing.TB) *testkit.RawClient {
	t.Helper()
	if g.client != nil {
		return testkit.DialTLS(t, g.Addr, g.client)
	}
	return testkit.Dial(t, g.Addr)
}

// DialHost opens a connection to the port of the gateway at another address of this machine; "" is that of Dial.
func (g *gateway) DialHost(t testing.TB, host string) *testkit.RawClient {
	t.Helper()
	if host == "" {
		return g.Dial(t)
	}
	_, port, err := net.SplitHostPort(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return testkit.Dial(t, net.JoinHostPort(host, port))
}

// Shutdown drains and stops the gateway before the test ends.
func (g *gateway) Shutdown(ctx context.Context) error { return g.server.Shutdown(ctx) }

// Events returns what was recorded so far, in order.
func (g *gateway) Events() []audit.Event { return g.Trail.Events() }

// AwaitEvents waits until n events have been recorded and returns them. Only the events of streams come after the reply.
func (g *gateway) AwaitEvents(t testing.TB, n int) []audit.Event {
	t.Helper()
	return g.Trail.await(t, n)
}

// Metric returns the value of a counter or gauge without labels.
func (g *gateway) Metric(t testing.TB, name string) float64 {
	t.Helper()
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// deskServer is the server of most tests at the given endpoint.
func deskServer(url string) proxy.ServerOptions {
	return proxy.ServerOptions{
		Name: "desk", URL: url, SensitivityLevel: "low",
		Tools: []authz.Tool{
			{Name: "echo", SensitivityLevel: "low", ReadOnly: true},
			{Name: "wipe", SensitivityLevel: "critical"},
		},
		Upstream: proxy.UpstreamOptions{IdleTimeout: time.Second},
	}
}

// roles are the roles that have an API key, each named like its role.
func roles() []string { return []string{"admin", "analyst", "viewer", "stranger"} }

// keyFor returns the API key of a role.
func keyFor(role string) string { return "sark_" + role + "_" + secretOf(role) }

// bearer is the header line that authenticates as a role.
func bearer(role string) string { return "Authorization: Bearer " + keyFor(role) }

func secretOf(role string) string { return strings.Repeat(role[:1], 40) }

func newAuthenticator(t testing.TB, anonymous bool) *authn.Authenticator {
	t.Helper()
	o := authn.Options{}
	for _, role := range roles() {
		o.APIKeys = append(o.APIKeys, authn.APIKey{
			ID: role, Hash: authn.HashSecret(secretOf(role)), Subject: role + "@example.com", Roles: []string{role},
		})
	}
	if anonymous {
		o.Anonymous = &authn.AnonymousOptions{Roles: []string{"viewer"}}
	}
	a, err := authn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// newEngine opens the policy in a directory, or the built-in one when dir is empty.
func newEngine(t testing.TB, dir string) *authz.Engine {
	t.Helper()
	return openEngine(t, authz.Options{Bundle: dir})
}

// openEngine opens a policy engine that ends with the test and does not watch its files.
func openEngine(t testing.TB, o authz.Options) *authz.Engine {
	t.Helper()
	o.WatchInterval = -1
	e, err := authz.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}
