package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
)

// retryEvery is how many background ticks lie between two attempts to write to a disk that has failed: 200 ms.
const retryEvery = 4

// Spool is an open disk queue. It is for any number of appenders and one consumer.
type Spool struct {
	o       Options
	writer  uuid.UUID
	columns string   // of every segment that this process writes
	lock    *os.File // keeps other processes out
	folder  *os.File // to be synced after a file was made in it
	reader  reader

	used   atomic.Int64          // bytes of segments, of what waits to be written, and of reservations
	index  atomic.Uint64         // the newest segment's
	failed atomic.Pointer[error] // why the disk cannot be written, for Reserve
	bound  atomic.Pointer[error] // why no new calls are taken, though there are bytes left: ErrOld or ErrDisk
	stats  counters

	refusals refusals
	ballast  *ballast

	wake  chan struct{} // to the consumer; capacity 1: a signal that waits is enough, more are dropped
	hurry chan struct{} // to the background goroutine; capacity 1, as above
	stop  chan struct{} // closed by Close
	done  chan struct{} // closed by the background goroutine

	mu                  sync.Mutex
	writeDone, syncDone sync.Cond
	chain               *audit.Chain
	fill, spare         *batch     // appended and not yet being written; its stand-in
	unsynced, inSync    batch      // written and not yet synced; being synced
	appended            uint64     // records
	written, synced     uint64     // records up to which everything is written, is on the disk
	syncedSeq           int64      // the last event that is on the disk
	writing, syncing    bool       // somebody leads
	rescuing            bool       // somebody waits for both leads
	failure             error      // why the disk cannot be written
	segments            []*segment // oldest first; the last is current
	current             *segment
	dirt                []dirt // scratch of the one who syncs
	lastCommit          int    // events in the last commit
	committed           time.Time
	refs                uint64  // the last reference that was given
	oldest, newest      *ticket // exchanges that have a reference, by age
	open                int     // their number
	shed                int64   // events dropped since the last gap event
	dropped             int64   // refusals that found no room since the last gap event
	waiting             waiting // for the sink
	gap                 []byte  // scratch of gap events
	closed              bool
	baseline            int64 // up to which number the sink's events were ours when this process began
	unconfirmed         bool  // the sink was not asked yet whether it has more
}

// Open opens or makes the spool in o.Dir, mends what a crash left (see the package comment), and starts the goroutine that
// syncs. Another process that has it open is an error.
func Open(o Options) (*Spool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{
		o: o, columns: columnList(audit.Format), fill: new(batch), spare: new(batch),
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	s.writeDone.L, s.syncDone.L = &s.mu, &s.mu
	s.ballast = newBallast(o.Dir, o.MaxBytes)
	s.refusals.began, s.refusals.by = o.Now(), make(map[source]*tally)
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), s.closeFiles())
	}
	s.checkBounds()
	go s.background()
	return s, nil
}

func (s *Spool) start() error {
	if err := s.openFolder(); err != nil {
		return err
	}
	found, err := s.recover()
	if err != nil {
		return err
	}
	if err := s.begin(found); err != nil {
		return err
	}
	return s.registerMetrics()
}

func (s *Spool) openFolder() (err error) {
	if s.lock, err = lockFolder(s.o.Dir); err != nil {
		return err
	}
	s.folder, err = os.Open(s.o.Dir)
	return err
}

// begin starts a new segment after what was found and appends what a crash left to be said.
func (s *Spool) begin(found *findings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer, s.refs, s.segments = found.writer, found.lastRef, found.segments
	s.chain = audit.NewChain(found.writer, found.lastSeq, found.head)
	s.syncedSeq = found.lastSeq
	s.reader.holes = found.lastSeq
	if err := s.openBaseline(found); err != nil {
		return err
	}
	s.recallWaitingLocked(found.lastSeq)
	s.fill.restart(s.chain)
	seg, err := s.newSegment(s.fill)
	if err != nil {
		return err
	}
	s.segments, s.current = append(s.segments, seg), seg
	for _, g := range found.gaps {
		s.appendGapLocked(g)
	}
	n := s.appendOrphansLocked(found.orphans)
	s.commitLocked(n, true)
	if s.failure == nil && s.synced == 0 {
		s.syncLocked() // the segment's own place in the folder
	}
	return s.failure
}

// background syncs what was only written, and tries a failed disk again. Its owner is the spool; Close stops and awaits it.
func (s *Spool) background() {
	defer close(s.done)
	defer s.guard()
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.stop:
			return
		case <-s.hurry:
			s.settle(false)
		case <-tick.C:
			s.settle(n%retryEvery == 0)
			if n%boundsEvery == 0 {
				s.checkBounds()
				s.turnWindow(s.o.Now())
			}
		}
	}
}

// guard makes a panic of the background goroutine refuse new calls rather than end the process.
func (s *Spool) guard() {
	if p := recover(); p != nil {
		s.o.Log.Error("BUG: the spool's background goroutine panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		err := fmt.Errorf("BUG: %v", p)
		s.failed.Store(&err)
	}
}

// settle writes and syncs what is pending.
func (s *Spool) settle(retry bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil && retry && !s.rescuing {
		s.rescueLocked(s.failure)
	}
	if s.synced < s.appended {
		s.commitLocked(s.appended, true)
		return
	}
	if !s.writing && !s.syncing && s.failure == nil { // quiet: every buffer is empty
		for _, b := range []*batch{s.fill, s.spare, &s.unsynced, &s.inSync} {
			b.shrink(idleBytes)
		}
	}
}

// Sync returns when everything that was recorded is on the disk, or why it is not.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.commitLocked(s.appended, true)
	return s.failure
}

// Writer is the id of this spool's chain; it lives as long as the folder.
func (s *Spool) Writer() uuid.UUID { return s.writer }

// Last is the number of the last event that was recorded.
func (s *Spool) Last() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Seq()
}

// Head is the number and the hash of the last event that was recorded; 0 before the first.
func (s *Spool) Head() (seq int64, hash [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain.Seq(), s.chain.Head()
}

// Wake receives a signal after events have become readable.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

// Err says why the disk cannot be written, nil when it can. While it is not nil, Reserve refuses.
func (s *Spool) Err() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Close syncs what was recorded, waits for the background goroutine until ctx ends, and lets other processes in. Events that
// are recorded later are lost and counted: close the listeners first.
func (s *Spool) Close(ctx context.Context) error {
	s.turnWindow(s.o.Now().Add(2 * refusalWindow)) // says what was counted
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.commitLocked(s.appended, true)
	s.closed = true
	err := s.failure
	s.mu.Unlock()

	close(s.stop)
	select {
	case <-s.done:
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("close spool: %w", ctx.Err()))
	}
	return errors.Join(err, s.closeFiles())
}

func (s *Spool) closeFiles() error {
	errs := []error{s.reader.close()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		errs = append(errs, seg.close())
	}
	for _, f := range []*os.File{s.folder, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.folder, s.lock = nil, nil
	return errors.Join(errs...)
}
