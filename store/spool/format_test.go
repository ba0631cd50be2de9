package spool_test

import (
	"bytes"
	"errors"
	"fmt"
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

// formats holds, for each format of events, a spool that a gateway of that format has left behind: segments in a folder of
// their own, and beside them its events as JSON. Nothing rewrites them. Who adds a column raises audit.Format and runs the test
// once, which makes the folder of the new format: gateways are upgraded while events wait.
const formats = "testdata/format"

// TestReadsWhatEarlierVersionsLeft opens the spool of each format: every event and input is there, its chain goes on, and what
// had no outcome gets one, in today's format.
func TestReadsWhatEarlierVersionsLeft(t *testing.T) {
	for format := int32(1); format <= audit.Format; format++ {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			folder := fmt.Sprint(formats, format)
			if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && format == audit.Format {
				leave(t, folder)
				t.Fatalf("%s was missing and is made now: commit it", folder)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(folder, "spool"))); err != nil {
				t.Fatal(err)
			}
			s := open(t, spool.Options{Dir: dir})

			events := contents(t, s)
			inputs := s.Inputs()

			want, err := os.ReadFile(filepath.Join(folder, "events.json"))
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
			var kept []int32
			for _, e := range events {
				kept = append(kept, e.Format)
			}
			if d := cmp.Diff([]int32{format, format, format, format, format, audit.Format, audit.Format}, kept); d != "" {
				t.Errorf("formats (-want +got):\n%s", d)
			}
			in, err := audit.DecodeInput(inputs[0])
			if err != nil || len(inputs) != 1 {
				t.Fatalf("%d inputs: %v", len(inputs), err)
			}
			if d := cmp.Diff(input(), in); d != "" {
				t.Errorf("decision input (-left +read):\n%s", d)
			}
		})
	}
}

// TestSealsAnEarlierFormatAnew opens the spool of an earlier version for a sink that is ahead of it: its events get new numbers
// in today's segment and keep their format, and can be read again after another start.
func TestSealsAnEarlierFormatAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(formats+"1", "spool"))); err != nil {
		t.Fatal(err)
	}
	s := open(t, spool.Options{Dir: dir})
	before := s.Last()
	if err := s.Advance(before+3, 0); err != nil { // a sink that has numbers which this folder never gave
		t.Fatal(err)
	}
	record(t, s, 6)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	events := contents(t, open(t, spool.Options{Dir: dir}))

	var kept []int32
	for _, e := range events {
		kept = append(kept, e.Format)
	}
	want := []int32{2, 1, 1, 1, 1, 1, 2, 2, 2} // the gap, what was left, two outcomes, and the new event
	if d := cmp.Diff(want, kept); d != "" {
		t.Errorf("formats behind the sink's numbers (-want +got):\n%s", d)
	}
}

// TestRefusesWhatANewerVersionWrote opens spools of which a later version began the last segment, with more columns or in another
// form: it says so and touches nothing.
func TestRefusesWhatANewerVersionWrote(t *testing.T) {
	columns := func(t *testing.T, b []byte) []byte {
		t.Helper()
		b, err := spool.OtherColumns(b, "id uuid\nlater text\n")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	form := func(_ *testing.T, b []byte) []byte {
		b[len("SARKSPL")]++
		return b
	}
	for name, change := range map[string]func(*testing.T, []byte) []byte{"columns": columns, "form": form} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(formats+"1", "spool"))); err != nil {
				t.Fatal(err)
			}
			draft := filepath.Join(dir, "0000000000000004.seg.new") // which every start else removes
			last := filepath.Join(dir, "0000000000000003.seg")
			b, err := os.ReadFile(last)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(last, change(t, b), 0o600), os.WriteFile(draft, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)

			_, err = spool.Open(spool.Options{Dir: dir, Log: zap.NewNop()})

			if err == nil || !strings.Contains(err.Error(), "recover segment 3: a newer version of SARK wrote it") {
				t.Errorf("open: %v", err)
			}
			after := files(t, dir)
			delete(after, "lock")
			if d := cmp.Diff(before, after); d != "" {
				t.Errorf("files (-before +after):\n%s", d)
			}
		})
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
