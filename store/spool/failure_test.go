//go:build unix

package spool_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

// childProcess is set in the process in which files are limited: the test binary's own log must not be.
const childProcess = "SARK_SPOOL_CHILD"

// inChild runs the calling test in a process of its own, and reports whether this is that process.
func inChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childProcess) != "" {
		signal.Ignore(syscall.SIGXFSZ)
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("error %v:\n%s", err, out)
	}
	return false
}

// limitFileSize makes the kernel refuse to let any file of this process grow past a size, as a full disk would.
func limitFileSize(t *testing.T, size uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(size, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

const noLimit = 1 << 62

func TestFailedSegmentIsReplaced(t *testing.T) {
	if !inChild(t) {
		return
	}
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	limitFileSize(t, 8<<10) // a segment holds some seven events, then a write fails in its middle
	defer limitFileSize(t, noLimit)
	for n := range 40 {
		record(t, s, n)
	}
	if got := len(contents(t, s)); got != 40 {
		t.Errorf("%d events, want 40", got)
	}
	if st := s.Stats(); st.Rescues == 0 || st.Err != nil || st.Gaps != 0 {
		t.Errorf("stats %+v", st)
	}
	limitFileSize(t, noLimit)
	shut(t, s)
	s = open(t, spool.Options{Dir: dir})
	if got := len(contents(t, s)); got != 40 { // no gap event, too
		t.Errorf("%d events after a restart, want 40", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "quarantine")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a segment was set aside: %v", err)
	}
}

func TestFailedDiskRefusesAndRecovers(t *testing.T) {
	if !inChild(t) {
		return
	}
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	var promised []audit.Ticket
	for range 3 {
		ticket, err := s.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		promised = append(promised, ticket)
	}
	limitFileSize(t, 0)
	defer limitFileSize(t, noLimit)
	for n, ticket := range promised {
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	if s.Err() == nil {
		t.Error("no error")
	}
	if _, err := s.Reserve(nil); err == nil {
		t.Error("a disk that fails took a reservation")
	}
	limitFileSize(t, noLimit)
	for s.Err() != nil { // the background goroutine tries again within a second
		<-s.Wake()
	}
	s.CheckBounds() // which holds room for the next failure, within a second
	record(t, s, 3)
	if got := len(contents(t, s)); got != 4 {
		t.Errorf("%d events, want 4", got)
	}
	shut(t, s)
	s = open(t, spool.Options{Dir: dir})
	if got := len(contents(t, s)); got != 4 {
		t.Errorf("%d events after a restart, want 4", got)
	}
}

func TestManyAppendersOnAFailingDisk(t *testing.T) {
	if !inChild(t) {
		return
	}
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir, SegmentBytes: 16 << 10})
	var group sync.WaitGroup
	var recorded atomic.Int64
	for range 8 {
		group.Go(func() {
			for n := 0; n < 40; {
				e := storetest.Event(n)
				ticket, err := s.Reserve(&e)
				if err != nil { // refused while the disk fails
					<-time.After(time.Millisecond)
					continue
				}
				ticket.Record(&e)
				recorded.Add(1)
				n++
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		group.Wait()
	}()
	phases := []struct {
		size uint64
		last time.Duration
	}{{noLimit, 40 * time.Millisecond}, {6 << 10, 5 * time.Millisecond}, {0, 5 * time.Millisecond}}
	for n := 0; ; n++ {
		phase := phases[n%len(phases)]
		limitFileSize(t, phase.size)
		select {
		case <-time.After(phase.last):
		case <-finished:
			limitFileSize(t, noLimit)
			for s.Err() != nil {
				<-s.Wake()
			}
			checkOutcomes(t, s, recorded.Load())
			shut(t, s)
			s = open(t, spool.Options{Dir: dir})
			checkOutcomes(t, s, recorded.Load())
			t.Logf("%d recorded, stats %+v", recorded.Load(), s.Stats())
			return
		}
	}
}

// checkOutcomes expects each number once, n events that were recorded, and beside them nothing but unknown outcomes.
func checkOutcomes(t *testing.T, s *spool.Spool, n int64) {
	t.Helper()
	seen := make(map[int64]bool)
	for _, e := range contents(t, s) {
		if seen[e.Seq] {
			t.Errorf("number %d stands twice", e.Seq)
		}
		seen[e.Seq] = true
		if e.Outcome != audit.OutcomeUnknown {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d events are missing", n)
	}
}
