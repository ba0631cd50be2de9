package spool_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

// format1 is a spool that a gateway of the first format has left behind: segments in a folder of their own, and beside them
// its events as JSON. Nothing rewrites them. Who changes the format or the columns adds format2, by naming it here and running
// the test once, and keeps format1 readable: gateways are upgraded while events wait.
const format1 = "testdata/format1"

// TestReadsWhatEarlierVersionsLeft opens the spool of an earlier version: every event and input is there, its chain goes on, and
// what had no outcome gets one.
func TestReadsWhatEarlierVersionsLeft(t *testing.T) {
	if _, err := os.Stat(format1); errors.Is(err, fs.ErrNotExist) {
		leave(t, format1)
		t.Fatalf("%s was missing and is made now: commit it", format1)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(format1, "spool"))); err != nil {
		t.Fatal(err)
	}
	s := open(t, spool.Options{Dir: dir})

	events := contents(t, s)
	inputs := s.Inputs()

	want, err := os.ReadFile(filepath.Join(format1, "events.json"))
	if err != nil {
		t.Fatal(err)
	}
	const known = 5
	if len(events) < known {
		t.Fatalf("%d events where %d were left", len(events), known)
	}
	if d := cmp.Diff(string(want), lines(t, events[:known])); d != "" {
		t.Errorf("events (-left +read):\n%s", d)
	}
	diff(t, []string{"tool_invoked close unknown 4", "tool_invoked single unknown 5"}, brief(events[known:]))
	in, err := audit.DecodeInput(inputs[0])
	if err != nil || len(inputs) != 1 {
		t.Fatalf("%d inputs: %v", len(inputs), err)
	}
	if d := cmp.Diff(input(), in); d != "" {
		t.Errorf("decision input (-left +read):\n%s", d)
	}
}

// TestRefusesTheColumnsOfAnotherVersion opens a spool whose last segment a later version began: it says so and touches nothing.
func TestRefusesTheColumnsOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(format1, "spool"))); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(dir, "0000000000000003.seg")
	b, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = spool.OtherColumns(b, "id uuid\nlater text\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, b, 0o600); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)

	_, err = spool.Open(spool.Options{Dir: dir, Log: zap.NewNop()})

	if err == nil || !strings.Contains(err.Error(), "recover segment 3: its events have the columns of another version of SARK") {
		t.Errorf("open: %v", err)
	}
	after := files(t, dir)
	delete(after, "lock")
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("files (-before +after):\n%s", d)
	}
}

// files are the contents of a folder's files, by their names.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	contents := make(map[string]string)
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		contents[f.Name()] = string(b)
	}
	return contents
}

// leave makes a spool with events in two segments, an input, and two exchanges that have no outcome.
func leave(t *testing.T, folder string) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
	for n := range 4 {
		if n == 2 {
			in := input()
			s.RecordInput(&in)
		}
		record(t, s, n)
	}
	lasting := storetest.Event(4)
	lasting.Phase, lasting.Outcome = audit.PhaseOpen, ""
	ticket, err := s.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket.Record(&lasting)
	intended := storetest.Event(5)
	if _, err := s.Reserve(&intended); err != nil {
		t.Fatal(err)
	}
	events := contents(t, s)
	left := filepath.Join(folder, "spool")
	err = errors.Join(
		os.CopyFS(left, os.DirFS(dir)),
		os.Remove(filepath.Join(left, "ballast")), os.Remove(filepath.Join(left, "lock")), // made anew, and large
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "events.json"), []byte(lines(t, events)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func input() audit.Input {
	return audit.Input{
		DecisionID: uuid.MustParse("019ab000-0000-7000-8000-000000000002"), Time: storetest.Epoch, Allow: true, Revision: "2026-11-01", Rule: "rbac.grant", Document: []byte(`{"action":"tool:invoke"}`),
	}
}

// lines are events as JSON, one in a line.
func lines(t *testing.T, events []audit.Event) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range events {
		line, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}
