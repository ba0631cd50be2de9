package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sark/internal/authn"
	"sark/internal/testkit"
)

// What the policy of the matrix says: everybody may list, only an admin sees the tool wipe; ben may do nothing, or nobody
// sees the tool wipe.
const (
	matrixPolicy = `package sark

default decision := {"allow": false, "rule": "default", "reason": "no"}

decision := {"allow": true, "rule": "matrix", "reason": "yes"} if not forbidden

forbidden if {
	input.tool.name == "wipe"
	not "admin" in input.principal.roles
}
`
	benMayNothing = `
forbidden if input.principal.id == "ben@example.com"
`
	nobodyMayWipe = `
forbidden if input.tool.name == "wipe"
`
)

// matrix is two gateways that share a cache on a Redis behind the memory of each, a policy that can be changed, and an
// upstream that names in its answer who asked, and holds the page "held".
type matrix struct {
	t        *testing.T
	gateways [2]*gateway
	policy   string
	files    [2]string
	callers  map[string]string // what each sends as its credential, "Name: value"

	hold chan struct{} // closed when the page "held" may be answered
}

// callerNames are the names that the upstream hears of the callers.
var callerNames = []string{"ada", "bob", "ana@example.com", "ben@example.com", "anonymous"}

func newMatrix(t *testing.T, scope string) *matrix {
	m := &matrix{t: t, policy: filepath.Join(t.TempDir(), "p.rego"), hold: make(chan struct{})}
	m.say(matrixPolicy)
	upstream, server, idp := testkit.NewMCPUpstream(t, testkit.MCPOptions{}), testkit.StartRedis(t), testkit.NewSigner(t)
	upstream.On("tools/list", func(x *testkit.Exchange, msg testkit.Message) {
		if strings.Contains(string(x.Request.Body), `"held"`) {
			m.await()
		}
		x.JSON(200, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","ttlMs":600000,"cacheScope":%q,"tools":[{"name":"for-%s"},{"name":"wipe"}]}}`,
			msg.ID, scope, x.Request.Header.Value("X-Sark-Principal")))
	})
	hash := authn.FormatHash(authn.HashSecret(replicaSecret))
	keys := fmt.Sprintf(`authn:
  jwt: {issuer: %q, audience: gateway, jwks_url: %q}
  anonymous: {allow: true, roles: [viewer]}
  api_keys:
    - {id: ana, hash: %q, subject: ana@example.com, roles: [admin]}
    - {id: ben, hash: %q, subject: ben@example.com, roles: [admin]}`, idp.Issuer(), idp.JWKSURL(), hash, hash)
	for i := range m.gateways {
		m.files[i] = configure(t, dataDir(t), upstream.URL()+"/mcp", keys, fmt.Sprintf("authz: {bundle: %q}", filepath.Dir(m.policy)),
			fmt.Sprintf("redis: {url: %q}", server.URL()), "cache: {lookup_timeout: 5s}", "limits: {shared: false}")
		m.gateways[i] = startWatching(t, m.files[i])
	}
	token := func(subject, role string) string {
		return "Authorization: Bearer " + idp.Sign(map[string]any{"aud": "gateway", "sub": subject, "roles": []string{role}})
	}
	m.callers = map[string]string{
		"ada": token("ada", "admin"), "bob": token("bob", "viewer"), "anonymous": "X-Nobody: 1",
		"ana@example.com": "X-Api-Key: sark_ana_" + replicaSecret, "ben@example.com": "X-Api-Key: sark_ben_" + replicaSecret,
	}
	return m
}

// say changes the policy.
func (m *matrix) say(rules string) {
	m.t.Helper()
	next := m.policy + ".next"
	if err := os.WriteFile(next, []byte(rules), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(next, m.policy); err != nil {
		m.t.Fatal(err)
	}
}

// await holds an answer of the upstream.
func (m *matrix) await() {
	select {
	case <-m.hold:
	case <-time.After(testkit.Patience):
	}
}

// view is what a caller sees of the tools.
type view struct {
	Status int
	For    string // whose answer it was, "" when nobody's could be view
	Wipe   bool
}

var forWhom = regexp.MustCompile(`"for-([^"]*)"`)

// ask lists one page of the tools. Pages are apart in the cache, so that each can have another filler.
func (m *matrix) ask(ctx context.Context, gateway int, caller, page string) (view, error) {
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":%q,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := over(m.gateways[gateway].Proxy, "").try(ctx, http.MethodPost, "/mcp", fmt.Sprintf(body, page),
		"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list", m.callers[caller])
	got := view{Status: r.Status, Wipe: strings.Contains(r.Body, `"wipe"`)}
	if who := forWhom.FindStringSubmatch(r.Body); who != nil {
		got.For = who[1]
	}
	return got, err
}

// mustAsk is ask for requests that must be answered.
func (m *matrix) mustAsk(gateway int, caller, page string) view {
	m.t.Helper()
	got, err := m.ask(m.t.Context(), gateway, caller, page)
	if err != nil {
		m.t.Fatal(err)
	}
	return got
}

// inProgress is how many requests the gateways serve at the moment.
func (m *matrix) inProgress() (n int) {
	for _, g := range m.gateways {
		_, text, _ := strings.Cut(over(g.Admin, "").get(m.t, "/metrics").Body, "\nsark_proxy_requests_in_progress{listener=\"proxy\"} ")
		var one int
		if _, err := fmt.Sscan(text, &one); err != nil {
			m.t.Fatalf("read the metric: %v", err)
		}
		n += one
	}
	return n
}

// TestCrossPrincipal is the matrix of who filled the cache, in the memory of one gateway and in Redis, against who asks
// either gateway: two tokens, two keys, and nobody. What was made for one reaches another only when the server calls it
// public, and each sees of it what the policy lets him see.
func TestCrossPrincipal(t *testing.T) {
	for _, scope := range []string{"public", "private"} {
		t.Run(scope, func(t *testing.T) {
			m := newMatrix(t, scope)
			admin := map[string]bool{"ada": true, "ana@example.com": true, "ben@example.com": true}
			for _, filler := range callerNames {
				if got := m.mustAsk(0, filler, filler); got != (view{200, filler, admin[filler]}) {
					t.Fatalf("%s fills: %+v", filler, got)
				}
				for _, caller := range callerNames {
					want := view{200, caller, admin[caller]}
					if scope == "public" {
						want.For = filler
					}
					for gateway := range m.gateways {
						for range 2 { // from where it is kept, and from the memory of this gateway
							if got := m.mustAsk(gateway, caller, filler); got != want {
								t.Errorf("filled by %s, asked by %s at gateway %d: %+v, want %+v", filler, caller, gateway, got, want)
							}
						}
					}
				}
			}

			m.say(matrixPolicy + nobodyMayWipe + benMayNothing)
			for gateway := range m.gateways {
				testkit.Eventually(t, "the policy forbids ben", func() bool { return m.mustAsk(gateway, "ben@example.com", "ada").Status == 403 })
				if got := m.mustAsk(gateway, "ana@example.com", "ana@example.com"); got != (view{200, "ana@example.com", false}) {
					t.Errorf("after a change of the policy: %+v, want no wipe", got)
				}
			}

			m.say(matrixPolicy)
			for _, file := range m.files { // ben is no admin any more
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				const was, is = "subject: ben@example.com, roles: [admin]", "subject: ben@example.com, roles: [viewer]"
				if err := os.WriteFile(file, []byte(strings.Replace(string(text), was, is, 1)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for gateway := range m.gateways {
				testkit.Eventually(t, "ben has lost his role", func() bool {
					return m.mustAsk(gateway, "ben@example.com", "ben@example.com") == view{200, "ben@example.com", false}
				})
				if got := m.mustAsk(gateway, "ana@example.com", "ana@example.com"); got != (view{200, "ana@example.com", true}) {
					t.Errorf("ana, who has her role: %+v", got)
				}
			}
		})
	}
}

// TestCrossPrincipalInFlight has all callers wait at both gateways for one answer while the policy changes. Nobody gets what
// was made for another unless it is public, and nobody what the policy forbids by then.
func TestCrossPrincipalInFlight(t *testing.T) {
	for _, scope := range []string{"public", "private"} {
		t.Run(scope, func(t *testing.T) {
			m := newMatrix(t, scope)
			type outcome struct {
				gateway int
				caller  string
				got     view
				err     error
			}
			outcomes := make(chan outcome, 64) // more than there are requests
			waiting := 0
			for range 2 {
				for gateway := range m.gateways {
					for _, caller := range callerNames {
						waiting++
						go func() {
							got, err := m.ask(context.Background(), gateway, caller, "held")
							outcomes <- outcome{gateway, caller, got, err}
						}()
					}
				}
			}
			testkit.Eventually(t, "all wait for the answer", func() bool { return m.inProgress() == waiting })
			m.say(matrixPolicy + nobodyMayWipe + benMayNothing)
			for gateway := range m.gateways {
				testkit.Eventually(t, "the policy forbids ben", func() bool { return m.mustAsk(gateway, "ben@example.com", "other").Status == 403 })
				if got := m.mustAsk(gateway, "ben@example.com", "held"); got.Status != 403 {
					t.Errorf("ben, who comes late: %+v, want 403", got)
				}
			}
			close(m.hold)

			for range waiting {
				o := testkit.Wait(t, 0, outcomes)
				switch {
				case o.err != nil || o.got.Status != 200:
					t.Errorf("%s at gateway %d: %+v, %v", o.caller, o.gateway, o.got, o.err)
				case o.got.Wipe:
					t.Errorf("%s at gateway %d sees what the policy forbids", o.caller, o.gateway)
				case o.caller == "ben@example.com":
					if o.got.For != "" {
						t.Errorf("ben, to whom everything is forbidden by now, sees %+v", o.got)
					}
				case scope == "private" && o.got.For != o.caller, o.got.For == "":
					t.Errorf("%s at gateway %d got the answer for %q", o.caller, o.gateway, o.got.For)
				}
			}
		})
	}
}
