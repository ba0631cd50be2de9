package spool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

func open(t testing.TB, o spool.Options) *spool.Spool {
	t.Helper()
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	s, err := spool.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *spool.Spool) {
	t.Helper()
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// record leaves the n-th sample event in the spool and returns it.
func record(t testing.TB, s *spool.Spool, n int) audit.Event {
	t.Helper()
	ticket, err := s.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := storetest.Event(n)
	ticket.Record(&e)
	return e
}

// contents returns every event that a consumer would get, in order, and checks their chain.
func contents(t testing.TB, s *spool.Spool) []audit.Event {
	t.Helper()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	chain := audit.NewChain(s.Writer(), 0, audit.GenesisHash(s.Writer()))
	var events []audit.Event
	for after := int64(0); after < s.Last(); {
		tuples, last, err := s.Read(after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if last == after {
			t.Fatalf("nothing to read after %d of %d", after, s.Last())
		}
		for _, tuple := range tuples {
			e, err := audit.DecodeTuple(tuple)
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq != chain.Seq()+1 { // a hole: go on from the hash that the event before the hole cannot confirm
				_, seq, head, _ := audit.Place(tuple)
				chain = audit.NewChain(s.Writer(), seq, head)
			} else if err := chain.Verify(tuple); err != nil {
				t.Error(err)
			}
			events = append(events, e)
		}
		after = last
		if err := s.Sync(); err != nil { // reading may add a gap event
			t.Fatal(err)
		}
	}
	return events
}

// brief says what matters of an event in a line.
func brief(events []audit.Event) []string {
	var lines []string
	for _, e := range events {
		line := e.EventType + " " + string(e.Phase) + " " + string(e.Outcome) + " " + e.RequestID
		if e.EventType == spool.GapEvent {
			line += e.Reason + " " + string(e.Details)
		}
		lines = append(lines, line)
	}
	return lines
}

func diff(t testing.TB, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestEventsComeBackInOrderAfterRestart(t *testing.T) {
	dir := t.TempDir()
	var want []audit.Event
	for range 3 {
		s := open(t, spool.Options{Dir: dir, SegmentBytes: 4000})
		for range 10 {
			want = append(want, record(t, s, len(want)))
		}
		shut(t, s)
	}
	s := open(t, spool.Options{Dir: dir})

	got := contents(t, s)

	for i := range want {
		want[i].WriterID, want[i].Seq, want[i].Hash = s.Writer(), int64(i+1), got[i].Hash
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b audit.Event) bool {
		return string(audit.AppendTuple(nil, &a)) == string(audit.AppendTuple(nil, &b))
	})); d != "" {
		t.Errorf("events (-recorded +read):\n%s", d)
	}
}

func TestManyAppendersShareCommits(t *testing.T) {
	for name, mode := range map[string]spool.Mode{"auto": spool.Auto, "written": spool.Written, "durable": spool.Durable} {
		t.Run(name, func(t *testing.T) {
			s := open(t, spool.Options{Dir: t.TempDir(), SegmentBytes: 64 << 10, Durability: mode})
			var group sync.WaitGroup
			for g := range 16 {
				group.Go(func() {
					for n := range 50 {
						intent := storetest.Event(n)
						intent.Sensitivity = "high"
						ticket, err := s.Reserve(&intent)
						if err != nil {
							t.Error(err)
							return
						}
						e := storetest.Event(100*g + n)
						ticket.Record(&e)
					}
				})
			}
			group.Wait()
			if got := len(contents(t, s)); got != 800 {
				t.Errorf("%d events, want 800", got)
			}
			if st := s.Stats(); st.Open != 0 || st.Err != nil {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestOrphansBecomeUnknown(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	reserve := func(n int, intent bool) (audit.Ticket, *audit.Event) {
		e := storetest.Event(n)
		var announced *audit.Event
		if intent {
			announced = &e
		}
		ticket, err := s.Reserve(announced)
		if err != nil {
			t.Fatal(err)
		}
		return ticket, &e
	}
	opened := func(e audit.Event) *audit.Event {
		e.Phase, e.Outcome = audit.PhaseOpen, ""
		return &e
	}
	reserve(0, true) // an intent alone
	finished, e := reserve(1, true)
	finished.Record(e)
	stream, e := reserve(2, false) // an open event alone
	stream.Record(opened(*e))
	both, e := reserve(4, true)
	both.Record(opened(*e))
	ended, e := reserve(5, true)
	ended.Record(opened(*e))
	e.Phase = audit.PhaseClose
	ended.Record(e)
	reserve(6, false) // nothing was said yet
	shut(t, s)

	s = open(t, spool.Options{Dir: dir})

	want := []string{
		"tool_invoked single allowed 1", "tool_invoked open  2", "tool_invoked open  4", "tool_invoked open  5",
		"tool_invoked close allowed 5", "tool_invoked single unknown 0", "tool_invoked close unknown 2", "tool_invoked close unknown 4",
	}
	diff(t, want, brief(contents(t, s)))
	shut(t, s)
	s = open(t, spool.Options{Dir: dir})
	diff(t, want, brief(contents(t, s))) // said once
}

func TestFullSpoolRefuses(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), SegmentBytes: 8 << 10, MaxBytes: 40 << 10})
	n := 0
	for ; n < 1000; n++ {
		ticket, err := s.Reserve(nil)
		if errors.Is(err, spool.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	if n == 0 || n == 1000 {
		t.Fatalf("full after %d events", n)
	}
	got := contents(t, s)
	if len(got) != n {
		t.Errorf("%d events of %d", len(got), n)
	}
	if !s.Droppable(s.Last()) {
		t.Error("nothing to drop")
	}
	if err := s.Drop(s.Last()); err != nil {
		t.Fatal(err)
	}
	record(t, s, n)
	if st := s.Stats(); st.Refused != 1 || st.Segments != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestSheddingIsSaid(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), SegmentBytes: 8 << 10, MaxBytes: 128 << 10, OnFull: spool.ShedLow})
	n := 0
	for ; s.Stats().Shed == 0 && n < 1000; n++ {
		low := 4 * n // every one of them allowed, hence low
		record(t, s, low)
	}
	before := s.Last()
	record(t, s, 3) // denied: severity medium
	if got := s.Last(); got != before+2 {
		t.Errorf("%d events after a denial, want a gap event and the denial", got-before)
	}
	got := brief(contents(t, s))
	diff(t, []string{`audit_gap single error shed {"events":1}`, "authorization_denied single denied 3"}, got[len(got)-2:])
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	if other, err := spool.Open(spool.Options{Dir: dir, Log: zap.NewNop()}); err == nil {
		shut(t, other)
		t.Fatal("opened twice")
	}
	st, err := os.Stat(filepath.Join(dir, "lock"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", st.Mode(), err)
	}
	shut(t, s)
	open(t, spool.Options{Dir: dir})
}

func TestOpenExchangesOutliveTheirSegment(t *testing.T) {
	for _, size := range []int64{2000, 4000, 6000, 8000, 12000} { // from one record in a segment to many
		t.Run(strconv.FormatInt(size, 10), func(t *testing.T) { outlive(t, size) })
	}
}

// outlive lets an exchange with an intent, one with an open event and one with both go on through many segments of a size, and
// then the process end.
func outlive(t *testing.T, segmentBytes int64) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, SegmentBytes: segmentBytes})
	intent, stream, both := storetest.Event(500), storetest.Event(501), storetest.Event(502)
	call, err := s.Reserve(&intent)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := s.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	stream.Phase, stream.Outcome = audit.PhaseOpen, ""
	listen.Record(&stream)
	long, err := s.Reserve(&both)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 60 {
		record(t, s, n)
		if n == 7 { // in a later segment than its intent, which is carried behind it
			both.Phase, both.Outcome = audit.PhaseOpen, ""
			long.Record(&both)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := s.Drop(s.Last()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Segments > 2 || st.Open != 3 {
		t.Errorf("stats %+v", st)
	}
	call.Record(&intent)
	last := s.Last()
	shut(t, s)

	s = open(t, spool.Options{Dir: dir})

	tuples, _, err := s.Read(last, 10)
	if err != nil {
		t.Fatal(err)
	}
	var ends []audit.Event
	for _, tuple := range tuples {
		e, err := audit.DecodeTuple(tuple)
		if err != nil {
			t.Fatal(err)
		}
		if e.ID == both.ID || e.ID == stream.ID {
			t.Errorf("the %s event has the id of the open one: no database would take it", e.Phase)
		}
		ends = append(ends, e)
	}
	got := brief(ends)
	slices.Sort(got)
	diff(t, []string{"tool_invoked close unknown 501", "tool_invoked close unknown 502"}, got)
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	s := open(t, spool.Options{Dir: t.TempDir(), Metrics: r})
	record(t, s, 0)
	n, err := testutil.GatherAndCount(r)
	if err != nil || n != 21 {
		t.Errorf("%d metrics, error %v", n, err)
	}
}
