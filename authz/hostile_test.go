package authz_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// hostile makes inputs that try to confuse: few values, so that inputs often agree in part, and values that look alike.
type hostile struct{ *rand.Rand }

func newHostile(seed uint64) hostile { return hostile{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](h hostile, of ...T) T { return of[h.IntN(len(of))] }

// texts are texts that an encoding without lengths or types would take for each other, and for other values.
var texts = []string{
	"", "a", "A", "ab", "a\x00b", "b", "null", "true", "0", "1", "1.0", "[]", "{}", "\"", "é", "é", "\U0001F600",
	"low", "high", "tool:invoke", "admin", "analyst", strings.Repeat("x", 253), strings.Repeat("x", 254), strings.Repeat("x", 255),
}

func (h hostile) text() string { return pick(h, texts...) }

func (h hostile) list() []string {
	items := make([]string, h.IntN(4))
	for i := range items {
		items[i] = pick(h, "", "a", "b", "ab", "support", "admin", "analyst", "viewer", "developer", "service", "tool:invoke")
	}
	return items
}

func (h hostile) principal() *authn.Principal {
	if h.IntN(10) == 0 {
		return authn.Anonymous(h.list())
	}
	p := &authn.Principal{
		ID: pick(h, "ana", "root", ""), Type: pick(h, authn.TypeUser, authn.TypeService),
		Method: pick(h, authn.MethodJWT, authn.MethodAPIKey, authn.MethodNone), Issuer: pick(h, "", "i"), ClientID: pick(h, "", "c"),
		KeyID: pick(h, "", "k"), Email: pick(h, "", "e"), Roles: h.list(), Teams: h.list(), Scopes: h.list(),
	}
	if h.IntN(2) == 0 {
		p.Fingerprint = [32]byte{byte(h.IntN(3))}
	}
	if h.IntN(2) == 0 {
		p.Claims = map[string]any{}
		for range h.IntN(4) {
			p.Claims[pick(h, "mfa_verified", "dept", "level", "a b", "")] = pick[any](h,
				nil, true, false, 1, 1.0, "1", h.text(), json.Number("1.0"), []any{1, "a"}, map[string]any{"x": nil}, map[string]any{"x": h.text()})
		}
	}
	return p
}

// arguments writes a JSON object, mostly as no encoder would: with spaces, escapes and numbers in odd forms.
func (h hostile) arguments() []byte {
	if h.IntN(12) == 0 {
		return nil
	}
	return []byte(h.object(0))
}

func (h hostile) object(depth int) string {
	names := []string{"amount", "query", "sql", "list", "user", "a b", "", "statement", "x"}
	h.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var members []string
	for _, name := range names[:h.IntN(6)] {
		members = append(members, h.space()+h.quoted(name)+h.space()+":"+h.space()+h.value(depth+1)+h.space())
	}
	return h.space() + "{" + strings.Join(members, ",") + "}" + h.space()
}

func (h hostile) space() string { return pick(h, "", "", "", " ", "\n\t") }

func (h hostile) quoted(s string) string {
	if h.IntN(3) == 0 { // every character escaped
		var b strings.Builder
		for _, r := range s {
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
				continue
			}
			fmt.Fprintf(&b, pick(h, `\u%04x`, `\u%04X`), r)
		}
		return `"` + b.String() + `"`
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

func (h hostile) value(depth int) string {
	switch n := h.IntN(10); {
	case n == 0 && depth < 4:
		return h.object(depth)
	case n == 1 && depth < 4:
		return "[" + h.value(depth+1) + "," + h.space() + h.value(depth+1) + "]"
	case n < 5:
		return h.quoted(pick(h, append(texts, "drop table x", "select 1", "DROP TABLE x")...))
	case n < 9 && h.IntN(12) == 0: // most of them are beyond the bounds
		return pick(h, "1e400", "1e401", "-1e-400", "-1e-401", strings.Repeat("9", 800), strings.Repeat("9", 801))
	case n < 9:
		return pick(h, "0", "-0", "0.0", "1", "1.0", "1e0", "10E-1", "100", "100.0", "100.5", "101", "99999999999999999999",
			"99999999999999999999.0", "0.1", "0.10000000000000000001")
	}
	return pick(h, "null", "true", "false", "[]", "{}")
}

func (h hostile) input(people []*authn.Principal) *authz.Input {
	in := &authz.Input{
		Principal: pick(h, people...),
		Call: &mcp.Call{
			Era: pick(h, mcp.Legacy, mcp.Modern), Method: pick(h, "tools/call", "tools/list", "", "x"),
			Action: pick(h, "tool:invoke", "tool:list", "server:register", "mcp:ping", "resource:read"), Name: pick(h, "run_report", "", "é"),
			URI: pick(h, "", "a://b"), Arguments: h.arguments(), ProtocolVersion: pick(h, "2026-07-28", ""),
		},
		Phase:  pick(h, "", authz.PhaseCall, authz.PhaseList, authz.PhaseServer),
		Action: pick(h, "", "", "tool:invoke", "policy:evaluate"),
		Time:   time.Unix(pick[int64](h, 0, 59, 60, 3599, 3600, 86399, 86400, 4*86400, 1_790_000_000), 0).UTC(),
		Request: authz.Request{
			Method: pick(h, "GET", "POST"), Path: pick(h, "/", "/mcp"),
			ClientIP: pick(h, netip.Addr{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("fe80::1%a"), netip.MustParseAddr("fe80::1")),
			Headers:  pick(h, nil, map[string]string{}, map[string]string{"a": "1"}, map[string]string{"a": "", "b": "1"}, map[string]string{"b": ""}),
		},
	}
	if h.IntN(3) > 0 {
		in.Server = authz.Server{ID: pick(h, "", "desk"), Name: pick(h, "", "desk"), SensitivityLevel: pick(h, "low", "high", ""), Teams: h.list(), OwnerID: pick(h, "", "ana"), Status: pick(h, "", "active")}
	}
	if h.IntN(3) > 0 {
		in.Tool = authz.Tool{Name: pick(h, "", "run_report", "x"), SensitivityLevel: pick(h, "low", "medium", "high", ""), Known: h.IntN(2) == 0, ReadOnly: h.IntN(2) == 0}
	}
	if h.IntN(3) > 0 {
		in.Resource = authz.Resource{Type: pick(h, "", "server", "user"), ID: pick(h, "", "ana"), SensitivityLevel: pick(h, "", "high"), Teams: h.list(), OwnerID: pick(h, "", "ana")}
	}
	if h.IntN(10) == 0 {
		in.Context = map[string]any{"a": h.text()}
	}
	return in
}

// neighbours returns copies of an input that differ from it in one value each.
func (h hostile) neighbours(in *authz.Input) []*authz.Input {
	var all []*authz.Input
	other := func(s string) string { return pick(h, s+"x", s+"\x00", "x"+s) }
	add := func(change func(in *authz.Input, who *authn.Principal)) {
		changed, who, call := *in, *in.Principal, *in.Call
		changed.Principal, changed.Call = &who, &call
		change(&changed, &who)
		all = append(all, &changed)
	}
	for _, field := range []func(in *authz.Input, who *authn.Principal) *string{
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Call.Action },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Action },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Phase },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Call.Method },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Call.Name },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Call.URI },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Call.ProtocolVersion },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Server.ID },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Server.Name },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Server.SensitivityLevel },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Server.OwnerID },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Server.Status },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Tool.Name },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Tool.SensitivityLevel },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Resource.Type },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Resource.ID },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Resource.SensitivityLevel },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Resource.OwnerID },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Request.Method },
		func(in *authz.Input, _ *authn.Principal) *string { return &in.Request.Path },
		func(_ *authz.Input, who *authn.Principal) *string { return &who.ID },
		func(_ *authz.Input, who *authn.Principal) *string { return (*string)(&who.Type) },
		func(_ *authz.Input, who *authn.Principal) *string { return (*string)(&who.Method) },
		func(_ *authz.Input, who *authn.Principal) *string { return &who.Issuer },
		func(_ *authz.Input, who *authn.Principal) *string { return &who.ClientID },
		func(_ *authz.Input, who *authn.Principal) *string { return &who.KeyID },
		func(_ *authz.Input, who *authn.Principal) *string { return &who.Email },
	} {
		add(func(in *authz.Input, who *authn.Principal) { at := field(in, who); *at = other(*at) })
		add(func(in *authz.Input, who *authn.Principal) { *field(in, who) = "" })
	}
	for _, field := range []func(in *authz.Input, who *authn.Principal) *[]string{
		func(in *authz.Input, _ *authn.Principal) *[]string { return &in.Server.Teams },
		func(in *authz.Input, _ *authn.Principal) *[]string { return &in.Resource.Teams },
		func(_ *authz.Input, who *authn.Principal) *[]string { return &who.Roles },
		func(_ *authz.Input, who *authn.Principal) *[]string { return &who.Teams },
		func(_ *authz.Input, who *authn.Principal) *[]string { return &who.Scopes },
	} {
		add(func(in *authz.Input, who *authn.Principal) {
			at := field(in, who)
			*at = append([]string{"new"}, *at...)
		})
		add(func(in *authz.Input, who *authn.Principal) { *field(in, who) = []string{} })
		add(func(in *authz.Input, who *authn.Principal) { *field(in, who) = []string{""} })
	}
	add(func(in *authz.Input, _ *authn.Principal) { in.Call.Era = 1 - in.Call.Era })
	add(func(in *authz.Input, _ *authn.Principal) { in.Tool.Known = !in.Tool.Known })
	add(func(in *authz.Input, _ *authn.Principal) { in.Tool.ReadOnly = !in.Tool.ReadOnly })
	add(func(_ *authz.Input, who *authn.Principal) { who.Method = authn.MethodNone })
	add(func(_ *authz.Input, who *authn.Principal) { who.Claims = map[string]any{"mfa_verified": "x", "new": 1} })
	add(func(_ *authz.Input, who *authn.Principal) { who.Claims = nil })
	for _, later := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		add(func(in *authz.Input, _ *authn.Principal) { in.Time = in.Time.Add(later) })
	}
	for _, ip := range []string{"10.0.0.2", "::1", "fe80::1%b", "fe80::1"} {
		add(func(in *authz.Input, _ *authn.Principal) { in.Request.ClientIP = netip.MustParseAddr(ip) })
	}
	for _, headers := range []map[string]string{nil, {"a": "2"}, {"b": "2"}, {"c": "1"}, {"": ""}} {
		add(func(in *authz.Input, _ *authn.Principal) { in.Request.Headers = headers })
	}
	for range 6 {
		add(func(in *authz.Input, _ *authn.Principal) { in.Call.Arguments = h.arguments() })
	}
	add(func(in *authz.Input, _ *authn.Principal) { in.Call.Arguments = nil })
	add(func(in *authz.Input, _ *authn.Principal) { in.Context = map[string]any{"a": "x"} })
	return all
}
