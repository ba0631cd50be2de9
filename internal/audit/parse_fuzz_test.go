package audit_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"sark/internal/audit"
)

// FuzzParseJSON reads objects as they come from a file that anybody may have changed: what is accepted makes a tuple whose
// object gives the same tuple again, and everything else is ErrTuple or ErrNewer.
func FuzzParseJSON(f *testing.F) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	whole, err := audit.Event{
		ID: audit.NewID(at), Time: at, EventType: "tool_invoked", Severity: audit.SeverityLow, Phase: audit.PhaseSingle, UserID: "ana",
		UserRoles: []string{"analyst", "on \"call\""}, Seq: 7,
	}.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(whole), `{}`, `null`, `[]`, `{"seq":1}`, `{"seq":1.5}`, `{"seq":"1"}`, `{"id":"x"}`, `{"other":1}`, `{"seq":1,"seq":2}`,
		`{"timestamp":"2026-11-23T10:00:00.1234567Z"}`, `{"ip_address":"10.0.0.1/8"}`, `{"user_roles":["a",null]}`, `{"hash":"0g"}`, `{"format":2}`, `{"format":1000}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		tuple, err := audit.ParseJSON(nil, object)
		if err != nil {
			if !errors.Is(err, audit.ErrTuple) && !errors.Is(err, audit.ErrNewer) {
				t.Fatalf("error %v is neither ErrTuple nor ErrNewer", err)
			}
			return
		}
		text, err := audit.AppendJSON(nil, tuple)
		if err != nil {
			return // the columns are sound one by one and make no event; reading the tuple refuses it
		}
		again, err := audit.ParseJSON(nil, text)
		if err != nil || !bytes.Equal(tuple, again) {
			t.Fatalf("%s\ngives %x\nand %s\ngives %x, %v", object, tuple, text, again, err)
		}
	})
}
