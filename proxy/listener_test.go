package proxy_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"sark/internal/testkit"
	"sark/proxy"
)

// newServer is a server that nobody has started yet.
func newServer(t *testing.T) *proxy.Server {
	t.Helper()
	h, err := proxy.New(proxy.Options{
		Authenticator: newAuthenticator(t, false), Decider: allowAll(), Recorder: newTrail(),
		Servers: []proxy.ServerOptions{deskServer("http://127.0.0.1:9/mcp")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return proxy.NewServer(h, proxy.ListenerOptions{})
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestShutdownBeforeServe: a server that was shut down never serves.
func TestShutdownBeforeServe(t *testing.T) {
	t.Parallel()
	s, l := newServer(t), listen(t)
	diff(t, "shutdown", error(nil), s.Shutdown(context.Background()))
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	diff(t, "serve", error(nil), testkit.Wait(t, 0, served))
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
	diff(t, "shutdown again", error(nil), s.Shutdown(context.Background()))
}

// TestShutdownWhileServeBegins races the two: whoever is first, Serve returns.
func TestShutdownWhileServeBegins(t *testing.T) {
	t.Parallel()
	for range 200 {
		s, l := newServer(t), listen(t)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		diff(t, "shutdown", error(nil), s.Shutdown(context.Background()))
		diff(t, "serve", error(nil), testkit.Wait(t, 0, served))
	}
}

// failing is a listener whose first calls of Accept fail.
type failing struct {
	net.Listener
	errs []error
}

// Accept implements net.Listener.
func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", err)}
	}
	return f.Listener.Accept()
}

// TestAcceptGoesOn: running out of files for a moment does not end a gateway.
func TestAcceptGoesOn(t *testing.T) {
	t.Parallel()
	s, l := newServer(t), listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(&failing{l, []error{syscall.EMFILE, syscall.ENFILE}}) }()
	c := testkit.Dial(t, l.Addr().String())
	c.Post("/mcp", toolCall)
	diff(t, "status", 401, c.ReadReply().Status)
	diff(t, "shutdown", error(nil), s.Shutdown(context.Background()))
	diff(t, "serve", error(nil), testkit.Wait(t, 0, served))
}

// TestAcceptFails: what does not pass is reported.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	s, l := newServer(t), listen(t)
	if err := s.Serve(&failing{l, []error{syscall.EBADF}}); !errors.Is(err, syscall.EBADF) {
		t.Errorf("error %v", err)
	}
	diff(t, "shutdown", error(nil), s.Shutdown(context.Background()))
}
