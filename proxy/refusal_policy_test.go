package proxy_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/limit"
	"sark/internal/testkit"
	"sark/proxy"
)

// refusedCallers are requests whose credential is refused.
func refusedCallers() map[string]failure {
	challenge := map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}
	var token string
	wrong := "Authorization: Bearer " + keyFor("analyst")[:len(keyFor("analyst"))-1] + "!"
	return map[string]failure{
		"credential-missing": {
			send:   func(c *testkit.RawClient) { c.Post("/mcp", allowedCall) },
			header: map[string]string{"WWW-Authenticate": "Bearer"},
		},
		"session-foreign": {
			setup: func(t *testing.T, s *setup) { s.Sessions = newSessions(t) },
			send: func(c *testkit.RawClient) {
				c.Post("/mcp", allowedCall, bearer("analyst"), "Mcp-Session-Id: somebody-else's")
			},
			empty: true,
		},
		"session-unknown": {
			setup: func(t *testing.T, s *setup) { s.Sessions = lostSessions(t) },
			send: func(c *testkit.RawClient) {
				c.Post("/mcp", allowedCall, bearer("analyst"), "Mcp-Session-Id: of-another-replica")
			},
			header: map[string]string{"Retry-After": "1"},
		},
		"credential-invalid": {send: func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, wrong) }, header: challenge},
		"credential-token":   {send: func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, "Authorization: Bearer a.b.c") }, header: challenge},
		"credential-expired": {
			setup:  func(t *testing.T, s *setup) { s.Authenticator, token = authenticatorOfYesterday(t) },
			send:   func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, "Authorization: Bearer "+token) },
			header: challenge, dead: true,
		},
		"credential-certificate": {
			setup: func(t *testing.T, s *setup) {
				ca := testkit.NewAuthority(t)
				stranger := ca.IssueNamed(t, "spiffe://other.org/agent")
				decider := s.Decider
				secure(t, ca, new(atomic.Pointer[tls.Config]), &stranger, nil)(s)
				s.Decider = decider
			},
			send:   func(c *testkit.RawClient) { c.Post("/mcp", allowedCall) },
			header: map[string]string{"WWW-Authenticate": "Bearer"},
		},
		"credential-two": {send: post(allowedCall, "X-API-Key: "+keyFor("analyst"))},
		"credential-unchecked": {
			setup:  func(t *testing.T, s *setup) { s.Authenticator = authenticatorWithoutKeys(t) },
			send:   func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, "Authorization: Bearer "+tokenOfNobody) },
			header: map[string]string{"Retry-After": "5"}, dead: true,
		},
		"credential-flood": {
			setup: func(t *testing.T, s *setup) { s.AuthFailures = slowLimiter(t) },
			begin: func(t *testing.T, g *gateway) func() {
				c := g.Dial(t)
				c.Post("/mcp", allowedCall, wrong)
				if r := c.ReadReply(); r.Status != 401 {
					t.Errorf("the first refused credential got %d", r.Status)
				}
				return func() {}
			},
			before: 1,
			send:   func(c *testkit.RawClient) { c.Post("/mcp", allowedCall, wrong) },
			header: map[string]string{"Retry-After": "3600", "WWW-Authenticate": ""},
		},
	}
}

// refusedCalls are requests that the policy refuses, in the ways in which it can.
func refusedCalls() map[string]failure {
	wipe := `{"jsonrpc":"2.0","id":"call-1","method":"tools/call","params":{"name":"wipe"}}`
	var token string
	return map[string]failure{
		"denied":        {send: post(wipe)},
		"denied-hidden": {setup: func(_ *testing.T, s *setup) { s.HideUnknown = true }, send: post(wipe), result: true},
		"denied-scope": {
			setup: stepUp(&token), send: func(c *testkit.RawClient) { c.Post("/mcp", wipe, "Authorization: Bearer "+token) },
			header: map[string]string{"WWW-Authenticate": `Bearer error="insufficient_scope", scope="files:write", ` +
				`resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", ` +
				`error_description="the token lacks a scope that this request needs"`},
			dead: true,
		},
		"denied-tool-error": {
			setup: func(_ *testing.T, s *setup) { s.DenyAsToolError = true }, send: post(wipe), result: true,
		},
		"policy-failing":     {setup: withPolicy(`decision := {"allow": true} if input.mcp.method == "ping" else := {"allow": "yes"}`, 0)},
		"policy-undefined":   {setup: withPolicy(`decision := {"allow": true} if input.mcp.method == "ping"`, 0)},
		"policy-slow":        {setup: withPolicy(slowPolicy, 50*time.Millisecond)},
		"obligation-unknown": {setup: withPolicy(obliging(`{"watermark": true}`), 0)},
		"obligation-unmet": {
			setup: withPolicy(`decision := {"allow": true, "obligations": {"redact": ["$.text"]}} if input.action == "tool:list" else := {"allow": true}`, 0),
			send:  post(`{"jsonrpc":"2.0","id":"call-1","method":"tools/list"}`),
		},
		"obligation-limit": {setup: withPolicy(obliging(`{"limit": {"rate": 10}}`), 0)},
		"rate-limit": {
			setup: limited(proxy.Rates{Principal: hourly(1)}),
			begin: func(t *testing.T, g *gateway) func() {
				c := g.Dial(t)
				c.Post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greet"}}`, bearer("analyst"))
				if r := c.ReadReply(); r.Status != 200 {
					t.Errorf("the first request got %d", r.Status)
				}
				return func() {}
			},
			before: 1, dead: true, header: map[string]string{
				"Retry-After": "3600", "Ratelimit-Policy": `"principal";q=1;w=3600`, "Ratelimit": `"principal";r=0;t=3600`,
			},
		},
	}
}

// obliging is a policy that demands something of every tool call.
func obliging(obligations string) string {
	return `decision := {"allow": true, "obligations": ` + obligations + `} if input.action == "tool:invoke" else := {"allow": true}`
}

// slowPolicy takes minutes to decide about a tool.
const slowPolicy = `decision := {"allow": true} if input.mcp.method == "ping" else := {"allow": true} if {
	some x in numbers.range(1, 100000)
	some y in numbers.range(1, 100000)
	x + y == -1
}`

// withPolicy makes a gateway with a policy of its own, which may take so long for a decision; 0 means the default.
func withPolicy(rules string, timeout time.Duration) func(*testing.T, *setup) {
	return func(t *testing.T, s *setup) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "decision.rego"), []byte("package sark\n\n"+rules+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Decider = openEngine(t, authz.Options{Bundle: dir, Timeout: timeout})
	}
}

// slowLimiter allows one refused credential an hour.
func slowLimiter(t *testing.T) proxy.FailureLimiter {
	t.Helper()
	now := time.Now()
	l, err := limit.New(limit.Options{Rate: 1, Per: time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return frozen{Limiter: l, now: now}
}

// limited makes a gateway with limits, whose clock stands still.
func limited(rates proxy.Rates) func(*testing.T, *setup) {
	return func(t *testing.T, s *setup) {
		t.Helper()
		c, err := limit.NewCounter(limit.CounterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s.Limiter, s.Rates = frozen{Counter: c, now: time.Now()}, rates
	}
}

// hourly is a rate of n calls an hour, all at once.
func hourly(n int) limit.Rate {
	r, err := limit.NewRate(n, time.Hour, n)
	if err != nil {
		panic(err)
	}
	return r
}

// frozen is a limiter whose clock stands still.
type frozen struct {
	*limit.Limiter
	*limit.Counter
	now time.Time
}

// Allow implements proxy.FailureLimiter.
func (f frozen) Allow(key string, _ time.Time) (bool, time.Duration) {
	return f.Limiter.Allow(key, f.now)
}

// Take implements proxy.Limiter.
func (f frozen) Take(ctx context.Context, quotas []limit.Quota, _ time.Time) limit.Verdict {
	return f.Counter.Take(ctx, quotas, f.now)
}

// stepUp sets up a policy that denies for want of a scope, and makes a token without it. Neither a hidden tool nor a tool
// error hides the challenge.
func stepUp(token *string) func(*testing.T, *setup) {
	const audience = "https://mcp.example/mcp"
	return func(t *testing.T, s *setup) {
		withPolicy(`decision := {"allow": false, "reason": "no", "rule": "main.not_granted", "scopes": ["files:write"]}`, 0)(t, s)
		issuer := testkit.NewSigner(t)
		a, err := authn.New(authn.Options{JWT: &authn.JWTOptions{
			Issuer: issuer.Issuer(), Audience: []string{audience}, Key: issuer.PublicKeyPEM(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		s.Authenticator, s.Resources, s.PublicURL = a, []string{audience}, "https://mcp.example"
		s.HideUnknown, s.DenyAsToolError = true, true
		*token = issuer.Sign(map[string]any{"sub": "ana", "aud": audience})
	}
}

// authenticatorOfYesterday accepts tokens of an issuer, and returns one of them that has expired.
func authenticatorOfYesterday(t *testing.T) (*authn.Authenticator, string) {
	t.Helper()
	const audience = "https://gateway.example/mcp"
	issuer := testkit.NewSigner(t)
	a, err := authn.New(authn.Options{JWT: &authn.JWTOptions{
		Issuer: issuer.Issuer(), Audience: []string{audience}, Key: issuer.PublicKeyPEM(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	yesterday := time.Now().Add(-24 * time.Hour).Unix()
	return a, issuer.Sign(map[string]any{"sub": "ana", "aud": audience, "iat": yesterday, "exp": yesterday + 60})
}

// tokenOfNobody is a token of the right form whose signature nobody can check.
const tokenOfNobody = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS0xIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.c2lnbmF0dXJl"

// authenticatorWithoutKeys accepts tokens of an issuer whose keys cannot be fetched.
func authenticatorWithoutKeys(t *testing.T) *authn.Authenticator {
	t.Helper()
	issuer := testkit.NewSigner(t)
	issuer.SetDown(true)
	a, err := authn.New(authn.Options{JWT: &authn.JWTOptions{
		Issuer: issuer.Issuer(), Audience: []string{"https://gateway.example/mcp"}, JWKSURL: issuer.JWKSURL(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}
