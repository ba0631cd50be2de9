package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sark/internal/session"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, o session.Options) sessions {
	t.Helper()
	b, err := session.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return sessions{b, t}
}

func owner(n byte) [32]byte { return [32]byte{n} }

// sessions is a table as a test sees it: of sessions, and with errors that fail the test.
type sessions struct {
	*session.Bindings
	t testing.TB
}

func (s sessions) Bind(id []byte, owner [32]byte, now time.Time) bool {
	return s.must(s.Bindings.Bind(context.Background(), session.Session, id, owner, now))
}

func (s sessions) Owned(id []byte, owner [32]byte, now time.Time) bool {
	return s.must(s.Bindings.Owned(context.Background(), session.Session, id, owner, now))
}

func (s sessions) Drop(id []byte, owner [32]byte) {
	s.Bindings.Drop(context.Background(), session.Session, id, owner)
}

func (s sessions) must(ok bool, err error) bool {
	if err != nil {
		s.t.Error(err)
	}
	return ok
}

func TestOnlyTheOwnerHasASession(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour})
	b.Bind([]byte("s1"), owner(1), start)

	got := []bool{
		b.Owned([]byte("s1"), owner(1), start),
		b.Owned([]byte("s1"), owner(2), start),
		b.Owned([]byte("s2"), owner(1), start),
		b.Bind([]byte("s1"), owner(2), start), // the server gave the same id again
		b.Owned([]byte("s1"), owner(1), start),
	}

	if want := []bool{true, false, false, false, true}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestKindsKeepApart: the same id of a session and of a task are two things.
func TestKindsKeepApart(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour})
	b.Bind([]byte("1"), owner(1), start)
	ask := func(kind session.Kind, of byte) bool {
		return b.must(b.Bindings.Owned(t.Context(), kind, []byte("1"), owner(of), start))
	}

	got := []bool{ask(session.Task, 1), b.must(b.Bindings.Bind(t.Context(), session.Task, []byte("1"), owner(2), start)), ask(session.Task, 2), ask(session.Session, 2)}

	if want := []bool{false, true, true, false}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestKindsMakeRoomForTheirOwn: many questions of a server end no session.
func TestKindsMakeRoomForTheirOwn(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour, MaxPerPrincipal: 2})
	b.Bind([]byte("s"), owner(1), start)
	for n := range byte(5) {
		b.must(b.Bindings.Bind(t.Context(), session.Question, []byte{n}, owner(1), start.Add(time.Second)))
	}
	if !b.Owned([]byte("s"), owner(1), start.Add(time.Minute)) || b.Len() != 3 {
		t.Errorf("of a session and five questions %d bindings are left", b.Len())
	}
}

func TestSessionsEnd(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour})
	b.Bind([]byte("used"), owner(1), start)
	b.Bind([]byte("idle"), owner(1), start)
	b.Bind([]byte("dropped"), owner(1), start)
	b.Drop([]byte("dropped"), owner(2)) // not theirs
	kept := b.Owned([]byte("dropped"), owner(1), start)
	b.Drop([]byte("dropped"), owner(1))
	b.Owned([]byte("used"), owner(1), start.Add(45*time.Minute))

	later := start.Add(90 * time.Minute)
	got := []bool{
		kept, b.Owned([]byte("dropped"), owner(1), later),
		b.Owned([]byte("used"), owner(1), later), b.Owned([]byte("idle"), owner(1), later),
	}

	if want := []bool{true, false, true, false}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if b.Len() != 1 {
		t.Errorf("%d sessions are remembered, want 1", b.Len())
	}
}

func TestTheLeastUsedMakesRoom(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour, MaxPerPrincipal: 2, Max: 3})
	for i, s := range []struct {
		id string
		of byte
	}{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 2}, {"e", 3}} { // c takes a's place, e takes b's
		b.Bind([]byte(s.id), owner(s.of), start.Add(time.Duration(i)*time.Second))
	}

	now := start.Add(time.Minute)
	got := map[string]bool{}
	for id, of := range map[string]byte{"a": 1, "b": 1, "c": 1, "d": 2, "e": 3} {
		got[id] = b.Owned([]byte(id), owner(of), now)
	}

	if want := map[string]bool{"a": false, "b": false, "c": true, "d": true, "e": true}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMaxOfOne(t *testing.T) {
	b := open(t, session.Options{TTL: time.Hour, MaxPerPrincipal: 1, Max: 1})
	for i := range 10 {
		id := []byte{byte(i)}
		b.Bind(id, owner(byte(i%2)), start)
		if !b.Owned(id, owner(byte(i%2)), start) || b.Len() != 1 {
			t.Fatalf("session %d: %d remembered", i, b.Len())
		}
	}
}

// TestManyAtOnce checks the bounds and the ownership while goroutines bind, use and drop.
func TestManyAtOnce(t *testing.T) {
	b := open(t, session.Options{TTL: time.Minute, MaxPerPrincipal: 5, Max: 12})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 5000 {
				id, of, now := []byte{byte(r.IntN(40))}, owner(byte(g)), start.Add(time.Duration(i)*time.Second)
				switch r.IntN(3) {
				case 0:
					b.Bind(id, of, now)
				case 1:
					b.Owned(id, of, now)
				case 2:
					b.Drop(id, of)
				}
				if n := b.Len(); n > 12 {
					t.Errorf("%d sessions are remembered, at most 12 may be", n)
					return
				}
			}
		})
	}
	wg.Wait()
	for id := range byte(40) {
		owners := 0
		for g := range byte(4) {
			if b.Owned([]byte{id}, owner(g), start.Add(4990*time.Second)) {
				owners++
			}
		}
		if owners > 1 {
			t.Errorf("session %d has %d owners", id, owners)
		}
	}
	if b.Len() == 0 {
		t.Error("no session is left: the test shows nothing")
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []session.Options{{}, {TTL: -1}, {TTL: 1, Max: -1}, {TTL: 1, MaxPerPrincipal: -1}, {TTL: 1, HMACKey: []byte("short")}} {
		if _, err := session.New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
}

func BenchmarkOwned(b *testing.B) {
	t := open(b, session.Options{TTL: time.Hour})
	id := []byte("3f1b0f0e-2a53-4a8b-9d58-1a5d6c1f4a11")
	t.Bind(id, owner(1), start)
	b.ReportAllocs()
	for b.Loop() {
		t.Owned(id, owner(1), start)
	}
}
