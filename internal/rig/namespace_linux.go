package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Namespace is a network of its own: interfaces, addresses, packet rules and ports that nothing outside sees. It has a
// loopback interface. Nothing is left of it when it is closed and its last process has ended, however this process ends.
type Namespace struct {
	file *os.File
}

// NewNamespace makes a namespace, for which root is needed (CAP_SYS_ADMIN, and CAP_NET_ADMIN within it). The error is
// os.ErrPermission for others; ask with errors.Is.
func NewNamespace(ctx context.Context) (*Namespace, error) {
	n := &Namespace{}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine, since it is where nobody wants to be
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.file, err = os.Open(threadNetwork())
		}
		made <- err
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	if _, err := n.Run(ctx, "", "ip", "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func threadNetwork() string { return fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()) }

// Close gives the namespace up. Processes and sockets in it go on.
func (n *Namespace) Close() error { return n.file.Close() }

// Path names the namespace for ip(8), in a command of this or any other namespace.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// Do runs f on a thread that is in the namespace, to which sockets and children that f makes belong; goroutines do not. The
// error is that of f, or says why the namespace could not be entered.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(threadNetwork())
		if err == nil {
			err = unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			result <- fmt.Errorf("enter a network namespace: %w", err)
			return
		}
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread() // else the thread ends here
		}
		_ = home.Close()
		result <- err
	}()
	return <-result
}

// Run runs a command in the namespace to its end, with stdin as its input, and returns what it printed.
func (n *Namespace) Run(ctx context.Context, stdin string, argv ...string) (out string, err error) {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // G204: running what the harness says is what it is for.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &printed, &printed
	err = n.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return printed.String(), fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, printed.String())
	}
	return printed.String(), nil
}
