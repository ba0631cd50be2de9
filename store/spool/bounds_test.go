package spool_test

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func reserve(s *spool.Spool) error {
	ticket, err := s.Reserve(nil)
	if err != nil {
		return err
	}
	e := storetest.Event(0)
	ticket.Record(&e)
	return nil
}

// TestFullByAge lets an event wait for longer than is allowed, and then has it delivered.
func TestFullByAge(t *testing.T) {
	c := newClock()
	s := open(t, spool.Options{Dir: t.TempDir(), MaxAge: time.Hour, Now: c.Now})
	record(t, s, 0)
	s.CheckBounds()
	c.advance(59 * time.Minute)
	record(t, s, 1)
	s.CheckBounds()
	if err := reserve(s); err != nil {
		t.Fatalf("refused after %s: %v", s.Age(), err)
	}
	c.advance(2 * time.Minute)
	s.CheckBounds()
	if err := reserve(s); !errors.Is(err, spool.ErrOld) || !errors.Is(err, spool.ErrFull) {
		t.Errorf("after %s: %v, want %v", s.Age(), err, spool.ErrOld)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	readAfter(t, s, s.Last()) // the sink has everything
	s.CheckBounds()
	if err := reserve(s); err != nil {
		t.Errorf("after the delivery: %v", err)
	}
	if st := s.Stats(); st.Refused != 1 || s.Age() != 0 {
		t.Errorf("stats %+v, age %s", st, s.Age())
	}
}

// TestAgeOutlivesTheProcess starts again on events that were recorded without a sink.
func TestAgeOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	record(t, s, 0)
	shut(t, s)
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	s = open(t, spool.Options{Dir: dir, MaxAge: time.Hour, Now: later})
	if err := reserve(s); !errors.Is(err, spool.ErrOld) {
		t.Errorf("error %v, want %v", err, spool.ErrOld)
	}
}

// TestFullByDisk wants more free room than any disk has: new calls are refused or shed, and refusals are recorded.
func TestFullByDisk(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), MinFree: 1 << 62})
	if err := reserve(s); !errors.Is(err, spool.ErrDisk) || !errors.Is(err, spool.ErrFull) {
		t.Errorf("error %v, want %v", err, spool.ErrDisk)
	}
	refuse(s, 3, "audit_full", "192.0.2.1")
	diff(t, []string{"authorization_denied single denied 3"}, brief(contents(t, s)))

	shedding := open(t, spool.Options{Dir: t.TempDir(), MinFree: 1 << 62, OnFull: spool.ShedLow})
	if err := reserve(shedding); err != nil || shedding.Stats().Shed != 1 {
		t.Errorf("error %v, stats %+v", err, shedding.Stats())
	}
}

// refuse records that the n-th sample call was refused.
func refuse(s *spool.Spool, n int, rule, address string) {
	e := storetest.Event(n)
	e.UserID, e.PrincipalType, e.Rule, e.IP = "", "", rule, netip.MustParseAddr(address)
	s.Refused(&e)
}

// TestFullSpoolRecordsRefusals fills the room for calls: what is refused then is recorded until the slack is full, and what
// finds no room even there is counted in a gap event once there is room again.
func TestFullSpoolRecordsRefusals(t *testing.T) {
	s := open(t, spool.Options{Dir: t.TempDir(), SegmentBytes: 8 << 10, MaxBytes: 256 << 10, RefusalsPerMinute: -1})
	calls := 0
	for reserve(s) == nil {
		calls++
	}
	before := s.Last()
	for s.Stats().Dropped < 5 {
		refuse(s, 3, "no_credential", "192.0.2.1")
	}
	refusals := s.Last() - before
	if refusals < 10 {
		t.Errorf("%d refusals were recorded in the slack, want at least 10", refusals)
	}
	if st := s.Stats(); st.Bytes > st.MaxBytes {
		t.Errorf("%d bytes are in use, of %d", st.Bytes, st.MaxBytes)
	}
	if got := len(contents(t, s)); int64(got) != int64(calls)+refusals {
		t.Errorf("%d events, want %d calls and %d refusals", got, calls, refusals)
	}
	last := s.Last()
	if err := s.Drop(last); err != nil {
		t.Fatal(err)
	}
	if err := reserve(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{`audit_gap single error refusals_dropped {"events":5}`, "tool_invoked single allowed 0"}, brief(readAfter(t, s, last)))
}

// TestSmallSpoolGoesOn delivers every event, several times as many as there is room for: none of them fills the spool.
func TestSmallSpoolGoesOn(t *testing.T) {
	const room = 256 << 10
	s := open(t, spool.Options{Dir: t.TempDir(), MaxBytes: room})
	events := 0
	for bytes := 0; bytes < 4*room; events++ {
		if err := reserve(s); err != nil {
			t.Fatalf("refused after %d events, which were all delivered: %v", events, err)
		}
		e := storetest.Event(0)
		bytes += len(audit.AppendTuple(nil, &e))
		if events%20 > 0 {
			continue
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := s.Drop(s.Last()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefusalsAreBounded refuses callers from several addresses for several rules, some of whom are known.
func TestRefusalsAreBounded(t *testing.T) {
	c := newClock()
	s := open(t, spool.Options{Dir: t.TempDir(), RefusalsPerMinute: 3, Now: c.Now})
	for range 10 {
		refuse(s, 3, "no_credential", "192.0.2.1")
		refuse(s, 3, "no_credential", "2001:db8::1")
		refuse(s, 3, "no_credential", "2001:db8::2") // one network with the one above
	}
	refuse(s, 3, "framing", "192.0.2.1")
	known := storetest.Event(3)
	for range 5 {
		s.Refused(&known)
	}
	c.advance(61 * time.Second)
	refuse(s, 3, "no_credential", "192.0.2.1") // a new window

	counts, events := map[string]int{}, map[string]int64{}
	for _, e := range contents(t, s) {
		key := e.EventType + " " + e.Rule + " " + e.IP.String()
		counts[key]++
		if e.EventType == spool.SuppressedEvent {
			events[e.IP.String()] += number(t, &e, "events")
		}
	}
	want := map[string]int{
		"authorization_denied no_credential 192.0.2.1":   4,
		"authorization_denied no_credential 2001:db8::1": 2, "authorization_denied no_credential 2001:db8::2": 1,
		"authorization_denied framing 192.0.2.1":                       1,
		"authorization_denied " + known.Rule + " " + known.IP.String(): 5,
		"refusals_suppressed no_credential 192.0.2.1":                  2, "refusals_suppressed no_credential 2001:db8::": 2,
	}
	if d := cmp.Diff(want, counts); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int64{"192.0.2.1": 7, "2001:db8::": 17}, events); d != "" {
		t.Errorf("suppressed refusals, by address (-want +got):\n%s", d)
	}
	if n := s.Stats().Suppressed; n != 24 {
		t.Errorf("%d are counted, want 24", n)
	}
}

// TestFloodOfAddresses sends a refusal from each of very many addresses.
func TestFloodOfAddresses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, RefusalsPerMinute: 10})
	const all = 20_000
	for n := range all {
		refuse(s, 3, "no_credential", netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}).String())
	}
	shut(t, s) // says what was counted
	s = open(t, spool.Options{Dir: dir})
	var single, counted int64
	for _, e := range contents(t, s) {
		if e.EventType == spool.SuppressedEvent {
			counted += number(t, &e, "events")
			continue
		}
		single++
	}
	if single != 320 || single+counted != all {
		t.Errorf("%d refusals have an event and %d are counted, want 320 and all of %d", single, counted, all)
	}
}

func number(t *testing.T, e *audit.Event, name string) int64 {
	t.Helper()
	var d map[string]any
	unmarshal(t, e.Details, &d)
	n, ok := d[name].(float64)
	if !ok {
		t.Fatalf("details %s have no number %s", e.Details, name)
	}
	return int64(n)
}
