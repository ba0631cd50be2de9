package proxy_test

import (
	"encoding/json"
	"testing"

	"sark/internal/testkit"
)

// TestEras: a message of a family that is not served is told which revisions are, under its id.
func TestEras(t *testing.T) {
	type told struct {
		Status, Code int
		ID           string
		Supported    []string
		Requested    string
	}
	read := func(c *testkit.RawClient) told {
		r := c.ReadReply()
		var m struct {
			ID    json.RawMessage
			Error struct {
				Code int
				Data struct {
					Supported []string
					Requested string
				}
			}
		}
		if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		return told{r.Status, m.Error.Code, string(m.ID), m.Error.Data.Supported, m.Error.Data.Requested}
	}
	legacy, modern := []string{"2025-11-25", "2025-06-18", "2025-03-26"}, []string{"2026-07-28"}
	for _, tt := range []struct {
		eras []string
		send func(c *testkit.RawClient)
		want told
	}{
		{[]string{"legacy"}, func(c *testkit.RawClient) { postModern(c, "analyst", `"m"`, "tools/list", "") }, told{400, -32022, `"m"`, legacy, "2026-07-28"}},
		{[]string{"legacy"}, func(c *testkit.RawClient) { c.Post("/mcp", toolCall, bearer("analyst")) }, told{200, 0, "1", nil, ""}},
		{[]string{"modern"}, func(c *testkit.RawClient) { postModern(c, "analyst", "7", "tools/list", "") }, told{200, 0, "7", nil, ""}},
		{[]string{"modern"}, func(c *testkit.RawClient) { c.Post("/mcp", toolCall, bearer("analyst")) }, told{400, -32022, "1", modern, "2025-03-26"}},
		{[]string{"modern"}, func(c *testkit.RawClient) {
			c.Post("/mcp", toolCall, bearer("analyst"), "Mcp-Protocol-Version: 2025-06-18")
		}, told{400, -32022, "1", modern, "2025-06-18"}},
		{[]string{"modern"}, func(c *testkit.RawClient) {
			c.Post("/mcp", legacyCall("0", "initialize", `"protocolVersion":"2025-11-25"`), bearer("analyst"))
		}, told{400, -32022, "0", modern, "2025-11-25"}},
		{nil, func(c *testkit.RawClient) { c.Post("/mcp", toolCall, bearer("analyst")) }, told{200, 0, "1", nil, ""}},
	} {
		g := newGateway(t, func(s *setup) { s.Eras = tt.eras })
		c := g.Dial(t)
		tt.send(c)
		diff(t, "reply", tt.want, read(c))
	}
}

// TestErasOfVerbs: the stateless family has no streams to GET.
func TestErasOfVerbs(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.Eras = []string{"modern"} })
	for _, verb := range []string{"GET", "DELETE"} {
		c := g.Dial(t)
		c.Send(verb, "/mcp", "", bearer("analyst"))
		r := c.ReadReply()
		diff(t, verb, []any{405, "POST"}, []any{r.Status, r.Header.Value("Allow")})
	}
}
