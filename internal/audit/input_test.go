package audit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
)

func TestInputComesBack(t *testing.T) {
	for _, want := range []audit.Input{
		{DecisionID: uuid.New(), Time: time.UnixMicro(1795430000123456).UTC(), Allow: true, Revision: "r1", Rule: "rbac.grant", Document: []byte(`{"a":1}`)},
		{Time: time.UnixMicro(0).UTC(), Document: []byte{}},
	} {
		got, err := audit.DecodeInput(audit.AppendInput(nil, &want))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

func FuzzDecodeInput(f *testing.F) {
	f.Add(audit.AppendInput(nil, &audit.Input{Revision: "r", Rule: "x", Document: []byte("{}")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := audit.DecodeInput(b)
		if err != nil || b[24] > 1 {
			return
		}
		if diff := cmp.Diff(b, audit.AppendInput(nil, &in)); diff != "" {
			t.Errorf("(-read +written):\n%s", diff)
		}
	})
}
