package audit_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"sark/internal/audit"
)

// compareEvents compares addresses by value; everything else of an event is plain data.
var compareEvents = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func sampleEvent() audit.Event {
	at := time.Date(2026, 11, 23, 10, 30, 0, 123456000, time.UTC)
	return audit.Event{
		ID: audit.NewID(at), Time: at, ClassUID: 6003, EventType: "tool_invoked", Severity: audit.SeverityLow,
		Phase: audit.PhaseSingle, Outcome: audit.OutcomeAllowed, Decision: "allow", Rule: "rbac.grant",
		Reason: "role analyst may invoke low tools", ExchangeID: audit.NewID(at), DecisionID: audit.NewID(at),
		PolicyID: "sark/decision", PolicyRevision: "2026-11-01", Tier: "memo", UserID: "alice", UserEmail: "alice@example.com",
		PrincipalType: "user", UserRoles: []string{"analyst", "on call"}, AuthMethod: "api_key",
		PrincipalAttributes: []byte(`{"teams":["platform"]}`), ClientID: "ci", SessionID: "5f1e", Action: "tool:invoke",
		ResourceType: "tool", Method: "tools/call", ServerID: "desk", ServerName: "desk", ToolName: "lookup_order",
		Sensitivity: "medium", ArgumentsHash: "0f", Arguments: []byte(`{"id":7}`), RequestID: "3",
		TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7", IP: netip.MustParseAddr("10.1.2.3"),
		UserAgent: "mcp-client/1.4.2", HTTPMethod: "POST", Path: "/desk/mcp", ProtocolVersion: "2026-07-28", Era: "modern",
		StatusCode: 200, Success: true, CacheStatus: "MISS", DurationUS: 1250, UpstreamUS: 1100, BytesIn: 112,
		BytesOut: 1024, Environment: "production", Cost: 0.25, RetentionUntil: at.AddDate(0, 0, 90),
		Details: []byte(`{"filtered":2}`), Format: audit.Format, WriterID: uuid.MustParse("6f2d5a52-3c0e-4f4e-9d59-0b6f3a8f1c11"), Seq: 41,
		Hash: [32]byte{1, 2, 3},
	}
}

func TestColumnsAreTheEventsFields(t *testing.T) {
	types := map[reflect.Type]audit.Type{
		reflect.TypeFor[uuid.UUID](): audit.TypeUUID, reflect.TypeFor[time.Time](): audit.TypeTimestamp,
		reflect.TypeFor[int32](): audit.TypeInt4, reflect.TypeFor[int64](): audit.TypeInt8,
		reflect.TypeFor[float64](): audit.TypeFloat8, reflect.TypeFor[bool](): audit.TypeBool,
		reflect.TypeFor[string](): audit.TypeText, reflect.TypeFor[[]string](): audit.TypeTextArray,
		reflect.TypeFor[[]byte](): audit.TypeJSONB, reflect.TypeFor[netip.Addr](): audit.TypeInet,
		reflect.TypeFor[[32]byte](): audit.TypeBytea, reflect.TypeFor[audit.Severity](): audit.TypeText,
		reflect.TypeFor[audit.Phase](): audit.TypeText, reflect.TypeFor[audit.Outcome](): audit.TypeText,
	}
	var want []audit.Column
	for f := range reflect.TypeFor[audit.Event]().Fields() {
		want = append(want, audit.Column{Name: f.Tag.Get("column"), Type: types[f.Type]})
	}

	got := audit.Columns()

	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(audit.Column{}, "Required", "Since")); diff != "" {
		t.Errorf("columns differ from the fields of Event (-fields +columns):\n%s", diff)
	}
	if len(got) != audit.ColumnCount {
		t.Errorf("ColumnCount is %d, there are %d columns", audit.ColumnCount, len(got))
	}
}

func TestNewIDCarriesTheTime(t *testing.T) {
	at := time.UnixMilli(1795430000123)
	id := audit.NewID(at)
	sec, nsec := id.Time().UnixTime()
	if got := time.Unix(sec, nsec).UnixMilli(); got != at.UnixMilli() || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("NewID(%v) = %v: version %d, variant %v, time %d", at, id, id.Version(), id.Variant(), got)
	}
	if audit.NewID(at) == id {
		t.Error("two ids of one millisecond are equal")
	}
}
