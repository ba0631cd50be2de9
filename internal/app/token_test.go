package app_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/demo"
	"sark/internal/testkit"
)

// TestToken calls with tokens of an identity provider. The upstream learns who called and gets no credential.
func TestToken(t *testing.T) {
	const audience = "https://mcp.example/desk/mcp"
	dir := dataDir(t)
	idp := testkit.NewSigner(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp", fmt.Sprintf("authn: {jwt: {issuer: %q, audience: %q, jwks_url: %q}}",
		idp.Issuer(), audience, idp.JWKSURL())))
	call := func(claims map[string]any, tool string) int {
		return over(g.Proxy, "").do(t, "POST", "/mcp", toolCall(tool), "Authorization: Bearer "+idp.Sign(claims)).Status
	}
	claims := func(role, aud string) map[string]any {
		return map[string]any{"sub": "ada", "aud": aud, "roles": []string{role}}
	}

	got := []int{
		call(claims("analyst", audience), "note"),
		call(claims("viewer", audience), "wipe"),
		call(claims("analyst", "https://other.example"), "note"),
		over(g.Proxy, "").post(t, "/mcp", toolCall("note")).Status,
	}

	// A hidden tool is answered as unknown, which is no HTTP error.
	if diff := cmp.Diff([]int{200, 200, 401, 401}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	requests := upstream.Requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests reached the upstream, want 1", len(requests))
	}
	header := map[string][]string{}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Sark-Principal", "X-Sark-Roles", "X-Forwarded-For"} {
		header[name] = requests[0].Header.Values(name)
	}
	want := map[string][]string{
		"Authorization": nil, "X-Api-Key": nil, "X-Sark-Principal": {"ada"}, "X-Sark-Roles": {"analyst"}, "X-Forwarded-For": {"127.0.0.1"},
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header at the upstream (-want +got):\n%s", diff)
	}
}

// TestTokenOfOfficialClient shows that the official client works with a token, in both eras of the upstream.
func TestTokenOfOfficialClient(t *testing.T) {
	const audience = "https://mcp.example/desk/mcp"
	for _, stateful := range []bool{false, true} {
		idp := testkit.NewSigner(t)
		g := start(t, configure(t, dataDir(t), example(t, stateful), fmt.Sprintf("authn: {jwt: {issuer: %q, audience: %q, key: %q}}",
			idp.Issuer(), audience, idp.PublicKeyPEM())))
		token := idp.Sign(map[string]any{"sub": "ada", "aud": audience, "roles": []string{"analyst"}})
		session := connect(t, "http://"+g.Proxy+"/desk/mcp", token, nil)
		if got := callTool(t, session, demo.ReadCustomer, map[string]any{"customer_id": "C-1"}); got == "" {
			t.Error("the result is empty")
		}
	}
}

// TestRevokedKey revokes a key of the store while the gateway runs.
func TestRevokedKey(t *testing.T) {
	dir := dataDir(t)
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp"))
	key := newKey(t, dir, "analyst")
	if err := openStore(t, dir).RevokeAPIKey(t.Context(), "analyst"); err != nil {
		t.Fatal(err)
	}
	if r := over(g.Proxy, key).post(t, "/mcp", toolCall("note")); r.Status != 401 {
		t.Errorf("a revoked key gets %d %s", r.Status, r.Body)
	}
}
