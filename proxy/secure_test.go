package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/testkit"
)

// secure makes a gateway speak TLS with a certificate of ca. Its clients come from the authorities in the pool, which may
// be replaced, and show the given certificate, if any.
func secure(t testing.TB, ca *testkit.Authority, pool *atomic.Pointer[tls.Config], client *testkit.Identity, change func(*setup)) func(*setup) {
	t.Helper()
	return func(s *setup) {
		s.Decider = allowAll()
		pair := ca.Issue(t, nil).Pair(t)
		s.Listener.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
		if pool != nil {
			s.Listener.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return pool.Load(), nil }
			trust(pool, pair, ca)
		}
		s.ClientTLS = &tls.Config{RootCAs: ca.Pool}
		if client != nil {
			mine := client.Pair(t)
			s.ClientTLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }
		}
		s.Authenticator = newMTLSAuthenticator(t)
		if change != nil {
			change(s)
		}
	}
}

// trust makes ca the authority of clients.
func trust(pool *atomic.Pointer[tls.Config], pair tls.Certificate, ca *testkit.Authority) {
	pool.Store(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: ca.Pool, ClientAuth: tls.VerifyClientCertIfGiven, NextProtos: []string{"http/1.1"},
	})
}

// newMTLSAuthenticator accepts workloads of example.org, and the keys of keyFor.
func newMTLSAuthenticator(t testing.TB) *authn.Authenticator {
	t.Helper()
	o := authn.Options{MTLS: &authn.MTLSOptions{TrustDomains: []string{"example.org"}, Roles: []string{"analyst"}}}
	for _, role := range roles() {
		o.APIKeys = append(o.APIKeys, authn.APIKey{
			ID: role, Hash: authn.HashSecret(secretOf(role)), Subject: role + "@example.com", Roles: []string{role},
		})
	}
	a, err := authn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// who is how the trail names the sender of an exchange.
type who struct {
	User, Method, Rule string
	Roles              []string
	Status             int32
}

func whoOf(e audit.Event) who { return who{e.UserID, e.AuthMethod, e.Rule, e.UserRoles, e.StatusCode} }

func TestSecureCall(t *testing.T) {
	t.Parallel()
	g := newGateway(t, secure(t, testkit.NewAuthority(t), nil, nil, nil))
	c := g.Dial(t)
	for range 3 {
		c.Post("/mcp", toolCall, bearer("admin"))
		diff(t, "status", 200, c.ReadReply().Status)
	}
	for _, e := range g.Events() {
		diff(t, "sender", who{"admin@example.com", "api_key", "test.allow", []string{"admin"}, 200}, whoOf(e))
	}
}

// TestSecurePrincipal: a client certificate is a principal, unless a header says otherwise.
func TestSecurePrincipal(t *testing.T) {
	t.Parallel()
	const workload = "spiffe://example.org/ns/prod/sa/agent"
	ca := testkit.NewAuthority(t)
	known, foreign := ca.IssueNamed(t, workload), ca.IssueNamed(t, "spiffe://other.org/agent")
	for _, tt := range []struct {
		name   string
		client *testkit.Identity
		header string
		want   who
	}{
		{"certificate", &known, "", who{workload, "mtls", "", []string{"analyst"}, 200}},
		{"certificate and key", &known, bearer("admin"), who{"admin@example.com", "api_key", "", []string{"admin"}, 200}},
		{"certificate and wrong key", &known, "X-API-Key: nonsense", who{"", "none", "invalid_key", nil, 401}},
		{"certificate of another domain", &foreign, "", who{"", "none", "invalid_certificate", nil, 401}},
		{"certificate of another domain, and key", &foreign, bearer("admin"), who{"admin@example.com", "api_key", "", []string{"admin"}, 200}},
		{"neither", nil, "", who{"", "none", "no_credential", nil, 401}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, secure(t, ca, new(atomic.Pointer[tls.Config]), tt.client, nil))
			c := g.Dial(t)
			var lines []string
			if tt.header != "" {
				lines = append(lines, tt.header)
			}
			c.Post("/mcp", toolCall, lines...)
			r := c.ReadReply()
			diff(t, "status", int(tt.want.Status), r.Status)
			if challenge := r.Header.Value("WWW-Authenticate"); tt.header == "" && r.Status == 401 && challenge != "Bearer" {
				t.Errorf("challenge %q", challenge)
			}
			got := whoOf(g.AwaitEvents(t, 1)[0])
			if got.Status == 200 {
				got.Rule = "" // the policy's
				diff(t, "principal upstream", tt.want.User, g.Upstream.Requests()[0].Header.Value("X-Sark-Principal"))
			}
			diff(t, "sender", tt.want, got)
		})
	}
}

// TestSecureAuthoritiesChange: a connection that was made under an authority is worth nothing once that is removed, and
// goes on when it is kept beside a new one.
func TestSecureAuthoritiesChange(t *testing.T) {
	t.Parallel()
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	client := ca.IssueNamed(t, "spiffe://example.org/agent")
	var pool atomic.Pointer[tls.Config]
	g := newGateway(t, secure(t, ca, &pool, &client, nil))
	c := g.Dial(t)
	statusOf := func() int {
		c.Post("/mcp", toolCall)
		return c.ReadReply().Status
	}
	diff(t, "at first", 200, statusOf())

	both := x509.NewCertPool()
	both.AppendCertsFromPEM(ca.PEM)
	both.AppendCertsFromPEM(other.PEM)
	next := pool.Load().Clone()
	next.ClientCAs = both
	pool.Store(next)
	diff(t, "with a second authority", 200, statusOf())

	next = next.Clone()
	next.ClientCAs = other.Pool
	pool.Store(next)
	diff(t, "without its authority", 401, statusOf())

	next = next.Clone()
	next.ClientCAs = nil // which must not mean those of the system
	pool.Store(next)
	diff(t, "without any", 401, statusOf())
}

// TestSecureRefusesOthers: what is no TLS of ours is closed, and leaves no event, since nothing was asked.
func TestSecureRefusesOthers(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	stranger := testkit.NewAuthority(t).IssueNamed(t, "spiffe://example.org/agent")
	g := newGateway(t, secure(t, ca, new(atomic.Pointer[tls.Config]), &stranger, nil))

	plain := testkit.Dial(t, g.Addr)
	plain.Post("/mcp", toolCall, bearer("admin"))
	if said := plain.AwaitClosed(); !strings.HasPrefix(said, "HTTP/1.1 400 ") || !strings.Contains(said, "This port speaks HTTPS.") {
		t.Errorf("a client that speaks HTTP was told %q", said)
	}
	garbage := testkit.Dial(t, g.Addr)
	garbage.Write("nonsense\r\n\r\n")
	if said := garbage.AwaitClosed(); strings.Contains(said, "HTTP/") {
		t.Errorf("a client that speaks nonsense was told %q", said)
	}
	conn, err := tls.Dial("tcp", g.Addr, &tls.Config{RootCAs: ca.Pool, NextProtos: []string{"h2"}})
	if err == nil {
		t.Error("HTTP/2 was agreed on")
		_ = conn.Close()
	}
	refused := testkit.DialTLS(t, g.Addr, &tls.Config{RootCAs: ca.Pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair := stranger.Pair(t)
		return &pair, nil
	}})
	if said := refused.AwaitClosed(); said != "" {
		t.Errorf("a client of another authority was told %q", said)
	}
	if err := g.Shutdown(t.Context()); err != nil { // the last failure may still be on its way to being counted
		t.Fatal(err)
	}
	if n := g.Metric(t, "sark_proxy_tls_handshake_failures_total"); n < 4 {
		t.Errorf("%v failed handshakes were counted, want 4", n)
	}
	if events := g.Events(); len(events) != 0 {
		t.Errorf("events %+v", events)
	}
}

// TestSecureStream: events and comments go out one by one, and a departed client is noticed although its last words, the
// alert that ends TLS, stand before the end.
func TestSecureStream(t *testing.T) {
	t.Parallel()
	g := newGateway(t, secure(t, testkit.NewAuthority(t), nil, nil, func(s *setup) { s.Heartbeat = 200 * time.Millisecond }))
	events, gone := make(chan string), make(chan struct{})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Relay(events)
		<-x.ClientGone()
		close(gone)
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadHead()
	for i := range 5 {
		events <- notification(i)
		diff(t, "event", notification(i), r.ReadData())
	}
	piece, _ := r.ReadPiece()
	diff(t, "comment", ":\n\n", piece)
	close(events)
	c.Close()
	testkit.Wait(t, 3*time.Second, gone)
	diff(t, "outcome", audit.OutcomeClientGone, g.AwaitEvents(t, 1)[0].Outcome)
}

// TestSecureClientLeavesBeforeTheReply is the same before the reply has begun.
func TestSecureClientLeavesBeforeTheReply(t *testing.T) {
	t.Parallel()
	g := newGateway(t, secure(t, testkit.NewAuthority(t), nil, nil, nil))
	arrived, gone := make(chan struct{}), make(chan struct{})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, _ testkit.Message) {
		close(arrived)
		<-x.ClientGone()
		close(gone)
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	<-arrived
	c.Close()
	testkit.Wait(t, 3*time.Second, gone)
	diff(t, "outcome", audit.OutcomeClientGone, g.AwaitEvents(t, 1)[0].Outcome)
}

// TestSecureLargeBodies sends and gets more than one TLS record.
func TestSecureLargeBodies(t *testing.T) {
	t.Parallel()
	g := newGateway(t, secure(t, testkit.NewAuthority(t), nil, nil, nil))
	text := strings.Repeat("a", 1<<20)
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		g.Upstream.Send(x, m.Answer(`{"content":[{"type":"text","text":"`+text+`"}]}`))
	})
	c := g.Dial(t)
	c.Post("/mcp", strings.Replace(toolCall, "hello", text, 1), bearer("admin"))
	r := c.ReadReply()
	if r.Status != 200 || !strings.Contains(r.Body, text) {
		t.Errorf("status %d, %d bytes", r.Status, len(r.Body))
	}
}

// TestSecureShutdown waits for a call that is under way, over TLS too.
func TestSecureShutdown(t *testing.T) {
	t.Parallel()
	g := newGateway(t, secure(t, testkit.NewAuthority(t), nil, nil, nil))
	arrived, release := make(chan struct{}), make(chan struct{})
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		close(arrived)
		<-release
		g.Upstream.Send(x, m.Answer(`{"content":[]}`))
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	<-arrived
	down := make(chan error, 1)
	go func() { down <- g.Shutdown(context.Background()) }()
	awaitRefusal(t, g.Addr)
	close(release)
	diff(t, "status", 200, c.ReadReply().Status)
	diff(t, "shutdown", error(nil), testkit.Wait(t, 0, down))
	if rest := c.AwaitClosed(); rest != "" {
		t.Errorf("after the reply came %q", rest)
	}
}
