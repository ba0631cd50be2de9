package storetest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
)

// Epoch is the time of Event(0).
var Epoch = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// Event returns the n-th of a series of events that differ in every respect that queries look at: one second apart, from
// three users, four servers and five tools, every fourth one denied.
func Event(n int) audit.Event {
	at := Epoch.Add(time.Duration(n) * time.Second)
	e := audit.Event{
		ID: audit.NewID(at), Time: at, ClassUID: 6003, EventType: "tool_invoked", Severity: audit.SeverityLow,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeAllowed, Decision: "allow", Rule: "rbac.grant",
		Reason: "role analyst may invoke low tools", ExchangeID: audit.NewID(at), DecisionID: audit.NewID(at),
		PolicyID: "sark/decision", PolicyRevision: "2026-11-01", Tier: "memo", UserID: fmt.Sprintf("user-%d", n%3),
		UserEmail: "user@example.com", PrincipalType: "user", UserRoles: []string{"analyst", "on call"}, AuthMethod: "api_key",
		PrincipalAttributes: []byte(`{"teams":["platform"]}`), ClientID: "ci", SessionID: "5f1e", Action: "tool:invoke",
		ResourceType: "tool", Method: "tools/call", ServerID: fmt.Sprintf("server-%d", n%4), ServerName: fmt.Sprintf("server-%d", n%4),
		ToolName: fmt.Sprintf("tool-%d", n%5), Sensitivity: "medium", ArgumentsHash: string(audit.NewArgumentHasher([]byte("k")).Append(nil, []byte(`{"n":1}`))),
		RequestID: fmt.Sprint(n), TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7",
		IP:        netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), //nolint:gosec // the low bits on purpose
		UserAgent: "mcp-client/1.4.2 (linux; amd64)", HTTPMethod: "POST",
		Path: "/desk/mcp", ProtocolVersion: "2026-07-28", Era: "modern", StatusCode: 200, Success: true, CacheStatus: "MISS",
		DurationUS: int64(1000 + n), UpstreamUS: 900, BytesIn: 112, BytesOut: 1024, Environment: "test", Cost: 0.25,
		RetentionUntil: at.AddDate(0, 0, 90), Details: fmt.Appendf(nil, `{"n":%d}`, n),
	}
	if n%4 == 3 {
		e.Decision, e.Outcome, e.Success = "deny", audit.OutcomeDenied, false
		e.EventType, e.Severity, e.StatusCode, e.RPCCode = "authorization_denied", audit.SeverityMedium, 403, 403
	}
	return e
}

// Sealed returns n tuples of the series in a writer's chain, from its beginning.
func Sealed(writer uuid.UUID, n int) [][]byte {
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	tuples := make([][]byte, n)
	for i := range tuples {
		e := Event(i)
		tuples[i] = audit.AppendTuple(nil, &e)
		chain.Seal(tuples[i])
	}
	return tuples
}
