package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"sark/internal/rig"
)

// replica is one of the gateways of a town. It is started and ended again and again, each time at other addresses.
type replica struct {
	town  *town
	n     int
	dir   string
	spool string
	disk  *disk

	disrupting sync.Mutex // held by who starts, ends or configures it

	mu          sync.Mutex
	gateway     *rig.Gateway // nil while there is none
	incarnation int
	deaths      []time.Time // of the incarnations from 1 on
	diskFull    time.Time   // when the disk was last full
}

// life is one incarnation of a replica.
type life struct {
	*replica
	gateway     *rig.Gateway
	incarnation int
}

func newReplica(t *testing.T, w *town, n int) *replica {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark") // short, for the unix socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r := &replica{town: w, n: n, dir: dir, spool: filepath.Join(dir, "disk")}
	r.disk = newDisk(t, r.spool)
	t.Cleanup(func() {
		if g := r.leave(); g != nil {
			_ = g.Kill()
		}
	})
	return r
}

// now returns the incarnation that runs, if one does.
func (r *replica) now() (life, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return life{r, r.gateway, r.incarnation}, r.gateway != nil
}

// over reports whether an incarnation has ended, or is about to.
func (l life) over() bool {
	now, ok := l.now()
	return !ok || now.incarnation != l.incarnation
}

// died says when an incarnation ended; false: not yet.
func (r *replica) died(incarnation int) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if incarnation > len(r.deaths) {
		return time.Time{}, false
	}
	return r.deaths[incarnation-1], true
}

// start starts it and waits until it is ready.
func (r *replica) start() error {
	r.town.policy.starts.RLock() // no gateway starts on a policy that is broken
	defer r.town.policy.starts.RUnlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	g, err := rig.StartGateway(ctx, rig.GatewayOptions{
		Binary: os.Args[0], Dir: r.dir, Servers: r.town.servers(), Proxy: r.town.proxySection(), Sections: r.town.sections(r), Log: r.town.log,
	})
	if err != nil {
		return fmt.Errorf("start replica %d: %w", r.n, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gateway = g
	r.incarnation++
	return nil
}

// leave takes it out of sight, before it is ended.
func (r *replica) leave() *rig.Gateway {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gateway
	if g != nil {
		r.gateway = nil
		r.deaths = append(r.deaths, time.Now())
	}
	return g
}

// end ends it, by SIGKILL or in order, and starts it again after a while.
func (r *replica) end(ctx context.Context, kill bool, pause time.Duration) error {
	r.disrupting.Lock()
	defer r.disrupting.Unlock()
	if err := r.stop(kill); err != nil {
		return err
	}
	wait(ctx, pause)
	return r.start()
}

func (r *replica) stop(kill bool) error {
	g := r.leave()
	if g == nil {
		return nil
	}
	if kill {
		return g.Kill()
	}
	err := g.Stop()
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) && exit.ExitCode() == 1 && r.town.databaseAway.since(time.Now().Add(-10*time.Second)) {
		return nil // it could not store its events in time, and says so
	}
	return err
}

// fill fills its disk for a while; kill ends it meanwhile.
func (r *replica) fill(ctx context.Context, kill bool, pause time.Duration) error {
	r.disrupting.Lock()
	defer r.disrupting.Unlock()
	if r.disk == nil {
		return nil
	}
	full := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.diskFull = time.Now()
	}
	full()
	r.mu.Lock()
	r.diskFull = time.Now().Add(patience) // until it is freed
	r.mu.Unlock()
	r.disk.fill(r.town.t)
	wait(ctx, pause)
	if kill {
		if err := r.stop(true); err != nil {
			return err
		}
	}
	r.disk.free(r.town.t)
	full()
	if kill {
		return r.start()
	}
	return nil
}

// fullSince reports whether its disk was full at any time since then.
func (r *replica) fullSince(t time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.diskFull.After(t)
}

// configure adds a line to its configuration, lets it read that, and takes it back after a while.
func (r *replica) configure(ctx context.Context, line string, pause time.Duration) error {
	r.disrupting.Lock()
	defer r.disrupting.Unlock()
	file := filepath.Join(r.dir, "sark.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := r.reload(file, append(bytes.Clone(text), line+"\n"...)); err != nil {
		return err
	}
	wait(ctx, pause)
	return r.reload(file, text)
}

func (r *replica) reload(file string, text []byte) error {
	if err := replaceFile(file, text); err != nil {
		return err
	}
	r.hangup()
	return nil
}

// hangup makes it read policy and configuration.
func (r *replica) hangup() {
	if l, ok := r.now(); ok {
		_ = syscall.Kill(l.gateway.PID(), syscall.SIGHUP) // one that is gone reads them at its start
	}
}

// replaceFile writes a file as a whole.
func replaceFile(file string, text []byte) error {
	hidden := filepath.Join(filepath.Dir(file), ".new")
	if err := os.WriteFile(hidden, text, 0o600); err != nil {
		return err
	}
	return os.Rename(hidden, file)
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// trouble is when something was away.
type trouble struct {
	mu   sync.Mutex
	now  bool
	last time.Time
}

// during is away while f runs.
func (t *trouble) during(f func()) {
	t.set(true)
	defer t.set(false)
	f()
}

func (t *trouble) set(now bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.last = now, time.Now()
}

// since reports whether it was away at any time since then.
func (t *trouble) since(then time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now || t.last.After(then)
}

// until returns when it was away last; the zero time: never.
func (t *trouble) until() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now {
		return time.Now()
	}
	return t.last
}
