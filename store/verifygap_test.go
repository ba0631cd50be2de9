package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// ship moves everything from a spool folder of the archive into its database.
func (a *archive) ship(t *testing.T, before func(*spool.Spool, *sqlite.DB)) {
	t.Helper()
	l := a.open(t, a.database())
	a.writer = l.spool.Writer()
	if before != nil {
		before(l.spool, l.db)
	}
	check(t, l.shipper.Flush(t.Context()))
	l.close(t)
}

// open opens the spool of the archive and a database.
func (a *archive) open(t *testing.T, database string) *line {
	t.Helper()
	l := new(line)
	var err error
	l.spool, err = spool.Open(spool.Options{Dir: filepath.Join(a.dir, "spool"), SegmentBytes: 4 << 10, Log: zap.NewNop()})
	check(t, err)
	l.db, err = sqlite.Open(t.Context(), sqlite.Options{Path: database, Log: zap.NewNop()})
	check(t, err)
	l.shipper, err = store.NewShipper(store.ShipperOptions{
		Source: l.spool, Sink: l.db, Batch: 10, DeadDir: filepath.Join(a.dir, "dead"), Key: a.key, Log: zap.NewNop(),
	})
	check(t, err)
	return l
}

func emptyArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir()}
	var err error
	a.key, err = store.OpenDigestKey(filepath.Join(a.dir, "audit-digest.key"))
	check(t, err)
	return a
}

func recordAll(t *testing.T, s *spool.Spool, events ...audit.Event) {
	t.Helper()
	for i := range events {
		ticket, err := s.Reserve(nil)
		check(t, err)
		ticket.Record(&events[i])
	}
}

func series(from, to int) []audit.Event {
	var events []audit.Event
	for i := from; i < to; i++ {
		events = append(events, storetest.Event(i))
	}
	return events
}

// TestVerifyTellsDamageFromTampering damages the spool before its events are shipped: the gateway signs that they are lost.
func TestVerifyTellsDamageFromTampering(t *testing.T) {
	a := emptyArchive(t)
	s, err := spool.Open(spool.Options{Dir: filepath.Join(a.dir, "spool"), SegmentBytes: 4 << 10, Log: zap.NewNop()})
	check(t, err)
	recordAll(t, s, series(0, 30)...)
	check(t, s.Close(t.Context()))
	segments, err := filepath.Glob(filepath.Join(a.dir, "spool", "*.*"))
	check(t, err)
	damage(t, segments[1])
	a.ship(t, nil)

	v, found := a.verify(t)
	if v.Findings != 0 || v.Gaps < 2 {
		t.Errorf("verified %+v: %q", v, found)
	}
	for _, f := range found {
		if !strings.HasPrefix(f, "gap ") {
			t.Errorf("found %s", f)
		}
	}
	spoiled := a.copy(t)
	spoiled.spoil(t, "DELETE FROM audit_events WHERE seq = 25")
	if v, found := spoiled.verify(t); v.Findings == 0 {
		t.Errorf("a deleted event passes for a lost one: %q", found)
	}
	after := firstAfterHole(t, a)
	spoiled = a.copy(t)
	spoiled.spoil(t, fmt.Sprintf("UPDATE audit_events SET tool_name = 'x' WHERE seq = %d", after))
	if v, found := spoiled.verify(t); v.Findings == 0 {
		t.Errorf("the event after a hole was changed unseen: %q", found)
	}
}

// damage overwrites bytes in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt([]byte("XXXXXXXX"), 1000)
	check(t, errors.Join(err, f.Close()))
}

// firstAfterHole is the number of the event after the first hole.
func firstAfterHole(t *testing.T, a *archive) int64 {
	t.Helper()
	due := int64(1)
	for _, tuple := range a.tuples(t) {
		_, seq, _, err := audit.Place(tuple)
		check(t, err)
		if seq != due {
			return seq
		}
		due++
	}
	t.Fatal("there is no hole")
	return 0
}

// TestVerifyKnowsDeadEvents ships events that the database can never take.
func TestVerifyKnowsDeadEvents(t *testing.T) {
	a := emptyArchive(t)
	twice := storetest.Event(3)
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, append(series(0, 3), twice)...) })
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) {
		recordAll(t, s, append(append(series(4, 7), twice), series(7, 10)...)...)
	})

	_, found := a.verify(t)
	expect(t, []string{"gap 8-8"}, found)
	dead, err := filepath.Glob(filepath.Join(a.dir, "dead", "*.json"))
	if err != nil || len(dead) != 1 {
		t.Errorf("set aside %q, error %v", dead, err)
	}
}

// TestVerifyKnowsPutBackSpools puts an older copy of the spool back: the chain begins anew, as the gateway recorded.
func TestVerifyKnowsPutBackSpools(t *testing.T) {
	a := emptyArchive(t)
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(0, 7)...) })
	folder, older := filepath.Join(a.dir, "spool"), filepath.Join(t.TempDir(), "spool")
	check(t, os.CopyFS(older, os.DirFS(folder)))
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(7, 15)...) })
	check(t, os.RemoveAll(folder))
	check(t, os.CopyFS(folder, os.DirFS(older)))
	a.ship(t, nil)
	a.ship(t, func(s *spool.Spool, _ *sqlite.DB) { recordAll(t, s, series(20, 25)...) })

	v, found := a.verify(t)
	if v.Findings != 0 || v.Gaps == 0 || v.Events < 21 {
		t.Errorf("verified %+v: %q", v, found)
	}
}

// TestVerifyPartOfTheTrail chooses by the time at which events were stored.
func TestVerifyPartOfTheTrail(t *testing.T) {
	a := makeArchive(t, 40)
	trail, err := sqlite.OpenTrail(t.Context(), a.database())
	check(t, err)
	digests, err := trail.Digests(t.Context(), a.writer, 0, 10)
	check(t, errors.Join(err, trail.Close()))
	if len(digests) != 4 {
		t.Fatalf("%d digests", len(digests))
	}
	from, to := digests[1].CreatedAt, digests[3].CreatedAt
	spoiled := a.copy(t)
	spoiled.spoil(t, "UPDATE audit_events SET tool_name = 'x' WHERE seq IN (5, 15, 35)")
	for name, c := range map[string]struct {
		from, to time.Time
		events   int64
		want     []string
	}{
		"from":     {from, time.Time{}, 30, []string{"changed 15-15", "changed 35-35"}},
		"to":       {time.Time{}, to, 30, []string{"changed 5-5", "changed 15-15"}},
		"from to":  {from, to, 20, []string{"changed 15-15"}},
		"too late": {to.Add(time.Hour), time.Time{}, 0, nil},
		"too soon": {time.Time{}, from.Add(-time.Hour), 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v, found := spoiled.verify(t, func(o *store.VerifyOptions) { o.From, o.To = c.from, c.to })
			expect(t, c.want, found)
			if v.Events != c.events {
				t.Errorf("%d events, want %d", v.Events, c.events)
			}
		})
	}
	t.Run("digest moved out of sight", func(t *testing.T) {
		spoiled := a.copy(t)
		spoiled.spoil(t, "UPDATE audit_events SET tool_name = 'x' WHERE seq = 15", "UPDATE audit_digests SET created_at = 1 WHERE first_seq = 11")
		_, found := spoiled.verify(t, func(o *store.VerifyOptions) { o.From = from })
		expect(t, []string{"digest 11-20", "changed 15-15"}, found)
		spoiled.spoil(t, "UPDATE audit_digests SET created_at = created_at * 2 WHERE first_seq = 31")
		_, found = spoiled.verify(t, func(o *store.VerifyOptions) { o.From, o.To = from, to.Add(time.Hour) })
		expect(t, []string{"digest 11-20", "changed 15-15", "digest 31-40"}, found)
	})
	t.Run("digests deleted", func(t *testing.T) {
		spoiled := a.copy(t)
		spoiled.spoil(t, "DELETE FROM audit_digests WHERE first_seq > 20")
		_, found := spoiled.verify(t, func(o *store.VerifyOptions) { o.From = digests[2].CreatedAt })
		expect(t, []string{"unsigned 21-40"}, found)
	})
}

// TestVerifyFindsTwoHistories records other events from a copy of the whole directory, and brings a digest of these over.
func TestVerifyFindsTwoHistories(t *testing.T) {
	a := makeArchive(t, 20)
	b := *a
	b.dir = filepath.Join(t.TempDir(), "b")
	check(t, os.CopyFS(b.dir, os.DirFS(a.dir)))
	a.record(t, 20, 30)
	b.record(t, 50, 55)
	b.record(t, 55, 60)
	attach := fmt.Sprintf("ATTACH '%s' AS b", b.database())
	for name, c := range map[string]struct {
		change string
		want   []string
	}{
		"another one's numbers": {"INSERT INTO audit_digests SELECT * FROM b.audit_digests WHERE first_seq = 26", []string{"digest 26-30"}},
		"in its place": {
			"UPDATE audit_digests SET (last_seq, merkle_root, signature, created_at) = (SELECT last_seq, merkle_root, signature, created_at FROM b.audit_digests WHERE first_seq = 21) WHERE first_seq = 21",
			[]string{"replaced 21-25", "unsigned 26-30"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.spoil(t, attach, c.change)
			_, found := spoiled.verify(t)
			expect(t, c.want, found)
		})
	}
}
