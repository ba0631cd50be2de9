package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// grace is how long a child may take to end after SIGTERM before it is killed.
const grace = 10 * time.Second

// ErrExited reports that a child ended before it did what was waited for. Ask with errors.Is.
var ErrExited = errors.New("process ended")

var errStatusZero = errors.New("exit status 0")

// Process is a running child process. Its owner must call Stop.
type Process struct {
	name string
	pid  int
	done chan struct{} // Closed once the child was waited for; err is set before.
	err  error
}

// Start runs argv as a child process called name in errors, with its output going to log (nil discards it). The child
// is killed when this process dies, however it dies.
func Start(name string, argv []string, log io.Writer) (*Process, error) {
	return start(Place{}, name, argv, log)
}

func start(at Place, name string, argv []string, log io.Writer) (*Process, error) {
	if len(argv) == 0 {
		return nil, fmt.Errorf("start %s: no command", name)
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // G204: running the given binary is what a rig is for.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = at.attributes()
	cmd.WaitDelay = time.Second // A grandchild that keeps the output open must not keep us.
	p := &Process{name: name, done: make(chan struct{})}
	started := make(chan error)
	go p.run(at, cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run starts the child and waits for it on one locked thread, because Linux kills a child whose parent is gone when
// the thread that started it ends, not the process.
func (p *Process) run(at Place, cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lost := at.within(func() error {
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
		return nil
	})
	if lost != nil { // The place could not be entered.
		started <- lost
	}
}

// PID returns the process id of the child.
func (p *Process) PID() int { return p.pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the child to end with SIGTERM, kills it after ten seconds, and returns when it is gone. The error is nil
// when the child had ended by then with status 0 or because of the signal, and otherwise says how it ended. Stop may
// be called more than once.
func (p *Process) Stop() error {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.verdict()
	case <-timer.C:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	return fmt.Errorf("%s: still running %v after SIGTERM, killed", p.name, grace)
}

// Kill ends the child by SIGKILL and returns when it is gone. The error is nil when that is what ended it, and otherwise says
// how the child had ended before.
func (p *Process) Kill() error {
	p.signal(syscall.SIGKILL)
	<-p.done
	if p.endedBy(syscall.SIGKILL) {
		return nil
	}
	return fmt.Errorf("%s: %w before it was killed: %w", p.name, ErrExited, cmp.Or(p.err, errStatusZero))
}

// signal does nothing once the child was waited for: its number may belong to another process by then.
func (p *Process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(p.pid, s) // A child that is gone already is what Stop wants.
	}
}

func (p *Process) verdict() error {
	if p.endedBy(syscall.SIGTERM) {
		return nil
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// endedBy reports whether a signal ended the child.
func (p *Process) endedBy(signal syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return false
	}
	s, ok := exit.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == signal
}

// Await calls ready every few milliseconds until it returns nil. It gives up when ctx ends or the child does; the
// error then wraps ErrExited or the context's error, and tells the last answer of ready.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.Join(fmt.Errorf("await %s: %w; last answer: %w", p.name, ErrExited, err), p.err)
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w; last answer: %w", p.name, ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
