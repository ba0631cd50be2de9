package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
)

func TestTupleRoundTrip(t *testing.T) {
	for name, e := range map[string]audit.Event{"full": sampleEvent(), "zero": {Time: sampleEvent().Time, Format: audit.Format}} {
		got, err := audit.DecodeTuple(audit.AppendTuple(nil, &e))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(e, got, compareEvents); diff != "" {
			t.Errorf("%s: event changed on its way (-written +read):\n%s", name, diff)
		}
	}
}

func TestTupleHoldsOnlyWhatDatabasesCanHold(t *testing.T) {
	e := sampleEvent()
	e.UserID = "nul \x00 bad \xff é"
	e.UserAgent = strings.Repeat("a", audit.MaxText-1) + "é and more"
	e.IP = netip.MustParseAddr("::ffff:10.0.0.1")
	e.Arguments = []byte(`{"a":"\u0000","b":"\\u0000"}`)
	e.Details = []byte(`"` + strings.Repeat("x", audit.MaxJSON) + `"`)

	got, err := audit.DecodeTuple(audit.AppendTuple(nil, &e))
	if err != nil {
		t.Fatal(err)
	}

	want := sampleEvent()
	want.ID, want.ExchangeID, want.DecisionID = e.ID, e.ExchangeID, e.DecisionID
	want.UserID = "nul \uFFFD bad \uFFFD é"
	want.UserAgent = strings.Repeat("a", audit.MaxText-1)
	want.IP = netip.MustParseAddr("10.0.0.1")
	want.Arguments = []byte(`{"a":"\ufffd","b":"\\u0000"}`)
	want.Details = []byte(`{"omitted_bytes":16386}`)
	if diff := cmp.Diff(want, got, compareEvents); diff != "" {
		t.Errorf("stored event (-want +got):\n%s", diff)
	}
}

func TestDecodeTupleRefusesDamage(t *testing.T) {
	e := sampleEvent()
	whole := audit.AppendTuple(nil, &e)
	for i := range whole {
		if _, err := audit.DecodeTuple(whole[:i]); !errors.Is(err, audit.ErrTuple) {
			t.Fatalf("cut after %d bytes: error %v", i, err)
		}
	}
	if _, err := audit.DecodeTuple(append(whole, 0)); !errors.Is(err, audit.ErrTuple) {
		t.Errorf("one byte too many: error %v", err)
	}
}

func TestEventJSON(t *testing.T) {
	e := sampleEvent()
	got, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Timestamp string
		Roles     []string        `json:"user_roles"`
		Details   json.RawMessage `json:"details"`
		Shadow    *string         `json:"shadow"`
		IP        string          `json:"ip_address"`
	}
	if err := json.Unmarshal(got, &fields); err != nil {
		t.Fatal(err)
	}
	if fields.Timestamp != "2026-11-23T10:30:00.123456Z" || len(fields.Roles) != 2 || fields.IP != "10.1.2.3" ||
		string(fields.Details) != `{"filtered":2}` || fields.Shadow != nil {
		t.Errorf("rendered as %s", got)
	}
}

func FuzzDecodeTuple(f *testing.F) {
	e := sampleEvent()
	f.Add(audit.AppendTuple(nil, &e))
	f.Add(audit.AppendTuple(nil, &audit.Event{}))
	f.Add([]byte{0, audit.ColumnCount})
	f.Add([]byte{0, 59})
	f.Fuzz(func(t *testing.T, tuple []byte) {
		e, err := audit.DecodeTuple(tuple)
		if err != nil {
			return
		}
		once := audit.AppendTuple(nil, &e)
		again, err := audit.DecodeTuple(once)
		if err != nil {
			t.Fatalf("an encoded event does not decode: %v", err)
		}
		if twice := audit.AppendTuple(nil, &again); !bytes.Equal(once, twice) {
			t.Errorf("encoding is not stable:\n%x\n%x", once, twice)
		}
	})
}

func BenchmarkAppendTuple(b *testing.B) {
	e := sampleEvent()
	buf := audit.AppendTuple(nil, &e)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = audit.AppendTuple(buf[:0], &e)
	}
}

func TestAppendTupleAllocatesNothing(t *testing.T) {
	e := sampleEvent()
	buf := audit.AppendTuple(nil, &e)
	if n := testing.AllocsPerRun(100, func() { buf = audit.AppendTuple(buf[:0], &e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
