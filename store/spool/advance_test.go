package spool_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

// putBack replaces a folder by an older copy of it.
func putBack(t *testing.T, folder, older string) {
	t.Helper()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS(older)); err != nil {
		t.Fatal(err)
	}
}

// readAfter returns the events that a sink with an offset would get.
func readAfter(t *testing.T, s *spool.Spool, after int64) []audit.Event {
	t.Helper()
	tuples, _, err := s.Read(after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var events []audit.Event
	for _, tuple := range tuples {
		e, err := audit.DecodeTuple(tuple)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// TestPutBackSpoolSealsAnew records with an older copy of the folder, over two starts and with a call that is open, before the
// sink is asked: fewer and more events than the sink has of the lost history.
func TestPutBackSpoolSealsAnew(t *testing.T) {
	for _, c := range []struct {
		name   string
		offset int64
		want   []string
		first  int64
	}{
		{"sink ahead of everything", 15, []string{
			`audit_gap single error sink_ahead {"events":4,"first_missing":4,"last_missing":15}`,
			"tool_invoked single allowed 20", "tool_invoked single allowed 21", "authorization_denied single denied 23", "tool_invoked single allowed 24",
		}, 16},
		{"sink ahead of the copy only", 5, []string{
			`audit_gap single error sink_ahead {"events":4,"first_missing":4,"last_missing":5}`,
			"tool_invoked single allowed 20", "tool_invoked single allowed 21", "authorization_denied single denied 23", "tool_invoked single allowed 24",
		}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, older := filepath.Join(t.TempDir(), "spool"), t.TempDir()
			s := open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
			for n := range 3 {
				record(t, s, n)
			}
			if err := s.Advance(0, 0); err != nil {
				t.Fatal(err)
			}
			shut(t, s)
			if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			putBack(t, dir, older)

			s = open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
			record(t, s, 20)
			record(t, s, 21)
			shut(t, s)
			s = open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
			record(t, s, 23)
			record(t, s, 24)
			intent := storetest.Event(500)
			call, err := s.Reserve(&intent)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Advance(c.offset, 0); err != nil {
				t.Fatal(err)
			}
			got := readAfter(t, s, c.offset)
			diff(t, c.want, brief(got))
			if got[0].Seq != c.first {
				t.Errorf("the first new number is %d, want %d", got[0].Seq, c.first)
			}
			checkLinked(t, got)
			last := s.Last()
			shut(t, s)

			s = open(t, spool.Options{Dir: dir, SegmentBytes: 2000}) // the call was lost with the process
			after := readAfter(t, s, last)
			diff(t, []string{"tool_invoked single unknown 500"}, brief(after))
			checkLinked(t, append(got, after...))
			if err := s.Advance(last, 0); err != nil { // what the sink has by now
				t.Fatal(err)
			}
			if s.Last() != last+1 {
				t.Errorf("the second contact made new events: %d after %d", s.Last(), last)
			}
			call.Record(&intent) // lost and counted: that spool is closed
		})
	}
}

// checkLinked checks that each event follows the one before.
func checkLinked(t *testing.T, events []audit.Event) {
	t.Helper()
	chain := audit.NewChain(events[0].WriterID, events[0].Seq, events[0].Hash)
	for i := range events[1:] {
		if err := chain.Verify(audit.AppendTuple(nil, &events[i+1])); err != nil {
			t.Error(err)
		}
	}
}

// TestAdvanceThatCrashes leaves what a crash leaves before the new segment has its name, and after it: once more nothing is
// sealed twice.
func TestAdvanceThatCrashes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	record(t, s, 0)
	baseline, err := os.ReadFile(filepath.Join(dir, "baseline"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(10, 0); err != nil {
		t.Fatal(err)
	}
	last := s.Last()
	shut(t, s)
	for name, text := range map[string]string{"baseline": string(baseline), "00000000000000ff.seg.new": "torn"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, spool.Options{Dir: dir})
	if err := s.Advance(10, 0); err != nil {
		t.Fatal(err)
	}
	if s.Last() != last {
		t.Errorf("%d events, want %d", s.Last(), last)
	}
	diff(t, []string{
		`audit_gap single error sink_ahead {"events":1,"first_missing":1,"last_missing":10}`, "tool_invoked single allowed 0",
	}, brief(readAfter(t, s, 10)))
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestMissingSegmentIsSaidOnce removes a segment from the middle.
func TestMissingSegmentIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
	for n := range 9 {
		record(t, s, n)
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) < 4 {
		t.Fatalf("segments %q, error %v", segments, err)
	}
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s = open(t, spool.Options{Dir: dir, SegmentBytes: 2000})
		gaps := 0
		for _, e := range contents(t, s) {
			if e.EventType == spool.GapEvent {
				gaps++
			}
		}
		if gaps != 1 {
			t.Errorf("%d gap events, want one", gaps)
		}
		shut(t, s)
	}
}

func unmarshal(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
