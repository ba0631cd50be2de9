package testkit

import (
	"net"
	"slices"
	"sync"
	"testing"
)

// Conns counts an upstream's connections.
type Conns struct {
	Accepted int // since the start
	Open     int // not closed by either side yet
	Idle     int // open with no request in progress
}

// Upstream is an HTTP/1.1 server on a loopback TCP port that is scripted by
// its handler. Unlike net/http it hides nothing: header order, framing and the
// moment of each write are the test's. Make one with [NewUpstream].
type Upstream struct {
	listener net.Listener
	closing  chan struct{} // closed once by close
	done     sync.WaitGroup
	changed  bell // rung after every change of the fields below

	mu       sync.Mutex
	closed   bool
	handler  func(*Exchange)
	requests []Request
	accepted int
	conns    map[*upstreamConn]struct{}
}

// NewUpstream listens on 127.0.0.1 on a free port. Until Handle is called
// every request is answered with 200 and an empty body. When the test ends all
// connections are closed and all handlers are waited for.
func NewUpstream(t testing.TB) *Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the upstream: %v", err)
	}
	u := &Upstream{
		listener: l,
		closing:  make(chan struct{}),
		handler:  func(x *Exchange) { x.Reply(200, "") },
		conns:    make(map[*upstreamConn]struct{}),
	}
	u.done.Go(u.accept)
	t.Cleanup(u.close)
	return u
}

// URL is the server's address as "http://127.0.0.1:port", without a path.
func (u *Upstream) URL() string { return "http://" + u.Addr() }

// Addr is the server's address as "127.0.0.1:port".
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// Handle sets the script for all requests from now on. The handler runs in the
// connection's goroutine and may block: it is released by the client's leaving
// or by the end of the test if it waits through the [Exchange].
//
// When the handler returns, the reply is finished as its header says; a
// handler that wrote no header, or less than the promised length, leaves the
// client with a closed connection.
func (u *Upstream) Handle(handler func(*Exchange)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.handler = handler
}

// Requests returns the requests received so far, in the order in which they
// were complete. Broken ones are included; see [Request.Err]. The slice is the
// caller's, the bodies are shared and not to be changed.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// Conns returns the current counts.
func (u *Upstream) Conns() Conns {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := Conns{Accepted: u.accepted, Open: len(u.conns)}
	for conn := range u.conns {
		if !conn.busy {
			c.Idle++
		}
	}
	return c
}

// AwaitRequests waits until at least n requests have been received and returns
// them all. It fails the test when that takes longer than Patience.
func (u *Upstream) AwaitRequests(t testing.TB, n int) []Request {
	t.Helper()
	if !u.changed.await(func() bool { return len(u.Requests()) >= n }) {
		t.Fatalf("the upstream received %d requests, want %d", len(u.Requests()), n)
	}
	return u.Requests()
}

// AwaitConns waits until holds is true for the counts. It fails the test when
// that takes longer than Patience.
func (u *Upstream) AwaitConns(t testing.TB, holds func(Conns) bool) {
	t.Helper()
	if !u.changed.await(func() bool { return holds(u.Conns()) }) {
		t.Fatalf("the upstream's connections never came to the wanted state, they are %+v", u.Conns())
	}
}

// CloseIdle closes the connections that wait for a request, as a server does
// after its idle timeout, and returns how many. The far side learns it from
// the FIN only: this is how a stale pooled connection is made. A client may see
// the end of a reply a moment before the connection counts as idle; wait with
// AwaitConns.
func (u *Upstream) CloseIdle() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for conn := range u.conns {
		if !conn.busy {
			conn.close()
			n++
		}
	}
	return n
}

// accept owns the listener: it starts one goroutine per connection and ends
// when the listener is closed.
func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		conn := u.admit(c)
		u.changed.ring()
		u.done.Go(conn.serve)
	}
}

// admit counts a new connection. One that comes while the upstream closes is
// closed as well.
func (u *Upstream) admit(c net.Conn) *upstreamConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.accepted++
	conn := newUpstreamConn(u, c, u.accepted)
	u.conns[conn] = struct{}{}
	if u.closed {
		conn.close()
	}
	return conn
}

// begin records the request and marks the connection as busy. It returns the
// handler to run, or nil for a broken request.
func (u *Upstream) begin(conn *upstreamConn, req *Request) func(*Exchange) {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer u.changed.ring()
	u.requests = append(u.requests, *req)
	if req.Err != nil {
		return nil
	}
	conn.busy = true
	return u.handler
}

// end marks the connection as idle.
func (u *Upstream) end(conn *upstreamConn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	conn.busy = false
	u.changed.ring()
}

// forget drops a closed connection from the counts.
func (u *Upstream) forget(conn *upstreamConn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.conns, conn)
	u.changed.ring()
}

// close stops accepting, breaks every connection and waits for the handlers.
func (u *Upstream) close() {
	close(u.closing)
	_ = u.listener.Close()
	u.mu.Lock()
	u.closed = true
	for conn := range u.conns {
		conn.close()
	}
	u.mu.Unlock()
	u.done.Wait()
}
