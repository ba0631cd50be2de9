package replay_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/authz"
	"sark/authz/replay"
)

// candidate allows what is not wiping, and amounts up to 10.
const candidate = `package sark

decision := {"allow": ok, "rule": "candidate", "reason": "as tried"}

default ok := false

ok if {
	input.tool.name != "wipe"
	not large
}

large if input.tool.parameters.amount > 10
`

func trial(t *testing.T, text string) *authz.Trial {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.rego"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := authz.ReadBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	made, err := authz.NewTrial(t.Context(), b, authz.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

const recorded = `
{"decision_id":"1","timestamp":"2026-01-01T00:00:00Z","policy_revision":"old","allow":true,"rule":"r","input":{"tool":{"name":"wipe"}}}
{"decision_id":"2","timestamp":"2026-01-02T00:00:00Z","policy_revision":"b","allow":true,"rule":"r","input":{"action":"tool:invoke","principal":{"id":"zoe"},"server":{"name":"desk"},"tool":{"name":"wipe"}}}
{"decision_id":"3","timestamp":"2026-01-03T00:00:00Z","policy_revision":"a","allow":true,"rule":"r","input":{"principal":{"id":"ana"},"tool":{"name":"pay","parameters":{"amount":11}}}}
{"decision_id":"4","timestamp":"2026-01-04T00:00:00Z","policy_revision":"a","allow":false,"rule":"s","input":{"principal":{"id":"ana"},"tool":{"name":"pay"},"recorded":{"arguments":"digest","arguments_hash":"a"}}}
{"decision_id":"5","timestamp":"2026-01-05T00:00:00Z","policy_revision":"a","allow":true,"rule":"r","input":{"principal":{"id":"ana"},"tool":{"name":"read"},"recorded":{"arguments":"none"}}}
{"decision_id":"6","timestamp":"2026-01-06T00:00:00Z","policy_revision":"a","allow":true,"rule":"r","input":[]}
`

func day(n int) time.Time { return time.Date(2026, time.January, n, 0, 0, 0, 0, time.UTC) }

func TestRun(t *testing.T) {
	r, err := replay.Run(t.Context(), trial(t, candidate), replay.Lines(strings.NewReader(recorded), day(2)), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &replay.Report{
		Decisions: 5, Uncertain: 1, Unreadable: 1, Revisions: []string{"a", "b"},
		Flips: []replay.Flip{
			{DecisionID: "3", Timestamp: day(3), User: "ana", Tool: "pay", From: "allow", To: "deny", FromRule: "r", ToRule: "candidate", Reason: "as tried"},
			{DecisionID: "4", Timestamp: day(4), User: "ana", Tool: "pay", From: "deny", To: "allow", FromRule: "s", ToRule: "candidate", Reason: "as tried", Uncertain: true},
			{DecisionID: "2", Timestamp: day(2), User: "zoe", Action: "tool:invoke", Server: "desk", Tool: "wipe", From: "allow", To: "deny", FromRule: "r", ToRule: "candidate", Reason: "as tried"},
		},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestWhatRecordsSay(t *testing.T) {
	for said, uncertain := range map[string]int{
		`{"recorded":{"arguments":"none"}}`:                                                           0,
		`{"recorded":{"arguments":"digest"}}`:                                                         1,
		`{"recorded":{"arguments":"all"},"tool":{"parameters":{"amount":1}}}`:                         0,
		`{"recorded":{"arguments":"all"},"tool":{"parameters":{"amount":1,"password":"[redacted]"}}}`: 1,
		`{"recorded":{"arguments":"something new"}}`:                                                  1,
		`{}`: 0,
	} {
		line := `{"decision_id":"1","timestamp":"2026-01-01T00:00:00Z","input":` + said + `}`
		r, err := replay.Run(t.Context(), trial(t, candidate), replay.Lines(strings.NewReader(line), day(1)), nil)
		if err != nil || r.Uncertain != uncertain {
			t.Errorf("%s: %+v, error %v; want %d uncertain", said, r, err, uncertain)
		}
	}
}

// TestWithheldArgumentsThatNobodyReads: a candidate that reads no arguments is certain.
func TestWithheldArgumentsThatNobodyReads(t *testing.T) {
	text := "package sark\n\ndecision := {\"allow\": input.tool.name != \"wipe\"}"
	r, err := replay.Run(t.Context(), trial(t, text), replay.Lines(strings.NewReader(recorded), day(2)), nil)
	if err != nil || r.Uncertain != 0 {
		t.Errorf("%+v, error %v; want none that is uncertain", r, err)
	}
}

func TestProgress(t *testing.T) {
	line := strings.Split(recorded, "\n")[2] + "\n"
	var told []int
	_, err := replay.Run(t.Context(), trial(t, candidate), replay.Lines(strings.NewReader(strings.Repeat(line, 2500)), day(1)), func(n int) { told = append(told, n) })
	if diff := cmp.Diff([]int{1000, 2000}, told); err != nil || diff != "" {
		t.Errorf("error %v, progress (-want +got):\n%s", err, diff)
	}
}

func TestBrokenLine(t *testing.T) {
	_, err := replay.Run(t.Context(), trial(t, candidate), replay.Lines(strings.NewReader(recorded+"{"), day(1)), nil)
	if err == nil || !strings.Contains(err.Error(), "line 8") {
		t.Errorf("error %v, want one that names line 8", err)
	}
}
