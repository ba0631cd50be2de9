package authz

// This file is inside the package because building the input is a step of its own on the way to a decision, and has no
// exported name.

import (
	"net/netip"
	"testing"
	"time"

	"sark/internal/authn"
	"sark/internal/mcp"
)

func BenchmarkDocument(b *testing.B) {
	set, err := Settings{}.prepare()
	if err != nil {
		b.Fatal(err)
	}
	call := &mcp.Call{
		Method: "tools/call", Action: "tool:invoke", Name: "sql_query", ProtocolVersion: "2026-07-28",
		Arguments: []byte(`{"query":"select id, name from customers where region = 'EU' limit 50","limit":50}`),
	}
	in := &Input{
		Principal: &authn.Principal{ID: "ana", Roles: []string{"analyst"}, Teams: []string{"support", "eu"}, Claims: map[string]any{"sub": "ana"}},
		Call:      call,
		Server:    Server{ID: "desk", Name: "desk", SensitivityLevel: "medium", Teams: []string{"support"}},
		Tool:      Tool{Name: "sql_query", SensitivityLevel: "medium", Known: true},
		Request:   Request{Method: "POST", Path: "/desk/mcp", ClientIP: netip.MustParseAddr("10.1.2.3")},
		Time:      time.Now(),
	}
	item := *in
	item.Call, item.Phase, item.Action = &mcp.Call{Method: "tools/list", Action: "tool:list"}, PhaseList, "tool:invoke"
	reads := reads{paths: []inputPath{ // much as the default policy does
		{"action"},
		{"mcp", "phase"},
		{"policy_config", "max_amount"},
		{"principal", "id"},
		{"principal", "roles"},
		{"principal", "teams"},
		{"resource"},
		{"server", "sensitivity_level"},
		{"server", "teams"},
		{"tool"},
	}}
	all := *in
	for name, in := range map[string]*Input{"tools/call": in, "list item": &item, "all of tools/call": &all} {
		b.Run(name, func(b *testing.B) {
			kept := newParts(want(&reads))
			if in == &all {
				kept = newParts(wantsAll())
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := document(in, set, kept); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
