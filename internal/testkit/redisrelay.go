package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// RedisRelay stands between clients and a redis-server and makes the way there
// slow, silent or broken. It reads the commands that pass, so that a test can
// count what a request asked for rather than how long it took. It ends with the
// test.
type RedisRelay struct {
	t        testing.TB
	server   *RedisServer
	listener net.Listener
	done     chan struct{} // closed at the end
	wg       sync.WaitGroup

	mu    sync.Mutex
	asked map[string]int        // guarded by mu; round trips by command
	delay time.Duration         // guarded by mu
	open  chan struct{}         // guarded by mu; closed while commands pass
	tear  string                // guarded by mu; where the next reply that has it is torn, empty nowhere
	whole chan struct{}         // guarded by mu; closed when the rest of it may pass
	conns map[net.Conn]struct{} // guarded by mu; of both sides
}

// StartRedisRelay starts a relay before a server.
func StartRedisRelay(t testing.TB, server *RedisServer) *RedisRelay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for a relay: %v", err)
	}
	r := &RedisRelay{
		t: t, server: server, listener: l, done: make(chan struct{}),
		asked: map[string]int{}, open: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	close(r.open)
	r.wg.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

// URL returns the address of the relay as a redis:// URL.
func (r *RedisRelay) URL() string { return "redis://" + r.listener.Addr().String() }

// Asked returns how many round trips began with one of the commands: what a
// client writes at once is one, however many commands it is. A command counts
// when the relay has it, whether or not it goes on.
func (r *RedisRelay) Asked(commands ...string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range commands {
		n += r.asked[c]
	}
	return n
}

// Delay holds each round trip back for so long, from now on; zero none.
func (r *RedisRelay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Stall keeps the connections, accepts further ones, and lets no command pass
// until Resume. Then all that came meanwhile pass, those too for whose replies
// nobody waits any more, as they do in a network that was interrupted.
func (r *RedisRelay) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = make(chan struct{})
}

// Resume ends a Stall.
func (r *RedisRelay) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.open)
}

// Tear lets the next reply in which a text is pass as far as that text, and
// nothing more on its connection until mend is called: what a client sees of a
// message whose rest got lost and is sent again later.
func (r *RedisRelay) Tear(after string) (mend func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole := make(chan struct{})
	r.tear, r.whole = after, whole
	return func() { close(whole) }
}

// Cut breaks every connection. Further ones are accepted.
func (r *RedisRelay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close() // whoever uses it sees the end
	}
}

func (r *RedisRelay) close() {
	close(r.done)
	if err := r.listener.Close(); err != nil {
		r.t.Errorf("close a relay: %v", err)
	}
	r.Cut()
	r.wg.Wait()
}

// accept serves until the listener is closed.
func (r *RedisRelay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				r.t.Errorf("accept for a relay: %v", err)
			}
			return
		}
		r.wg.Go(func() { r.serve(client) })
	}
}

// serve carries one connection. When one side ends, both do.
func (r *RedisRelay) serve(client net.Conn) {
	defer r.track(client)()
	server, err := net.Dial("tcp", r.server.Addr())
	if err != nil { // it was killed: its clients are refused, too
		return
	}
	defer r.track(server)()
	r.wg.Go(func() {
		_, _ = io.Copy(replies{r, client}, server) // ends with either side
		_ = client.Close()
	})
	for in := bufio.NewReader(client); ; {
		raw, err := r.read(in)
		if err != nil || !r.hold() {
			return
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// replies are what a client gets.
type replies struct {
	r      *RedisRelay
	client net.Conn
}

// Write passes replies on, torn where Tear says so.
func (w replies) Write(p []byte) (int, error) {
	head, whole := w.r.torn(p)
	if n, err := w.client.Write(p[:head]); err != nil || whole == nil {
		return n, err
	}
	select {
	case <-w.r.done:
		return head, net.ErrClosed
	case <-whole:
	}
	n, err := w.client.Write(p[head:])
	return head + n, err
}

// torn returns how much of p may pass at once, and what to wait for before the
// rest; nil for nothing.
func (r *RedisRelay) torn(p []byte) (head int, whole <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := bytes.Index(p, []byte(r.tear))
	if r.tear == "" || at < 0 {
		return len(p), nil
	}
	head, r.tear = at+len(r.tear), ""
	return head, r.whole
}

// track makes a connection one of those that Cut breaks; the returned function
// closes it.
func (r *RedisRelay) track(c net.Conn) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = struct{}{}
	return func() {
		_ = c.Close() // the other side may have done so
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, c)
	}
}

// read returns the bytes of one round trip: a command, and what has come with
// it.
func (r *RedisRelay) read(in *bufio.Reader) ([]byte, error) {
	raw, name, err := readRedisCommand(in, nil)
	if err != nil {
		return nil, err
	}
	for err == nil && in.Buffered() > 0 {
		raw, _, err = readRedisCommand(in, raw)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[strings.ToUpper(name)]++
	return raw, err
}

// hold waits as Delay and Stall say, and reports false at the end of the relay.
func (r *RedisRelay) hold() bool {
	r.mu.Lock()
	open, delay := r.open, r.delay
	r.mu.Unlock()
	slow := time.NewTimer(delay)
	defer slow.Stop()
	select {
	case <-r.done:
		return false
	case <-slow.C:
	}
	select {
	case <-r.done:
		return false
	case <-open:
	}
	return true
}

// readRedisCommand appends the bytes of a command, an array of strings in RESP,
// to raw, and returns its first string.
func readRedisCommand(in *bufio.Reader, raw []byte) (_ []byte, name string, err error) {
	number := func(kind byte) (n int) {
		var line []byte
		if err != nil {
			return 0
		}
		if line, err = in.ReadBytes('\n'); err != nil {
			return 0
		}
		raw = append(raw, line...)
		if line[0] != kind {
			err = fmt.Errorf("the client says %q", line)
			return 0
		}
		n, err = strconv.Atoi(strings.TrimRight(string(line[1:]), "\r\n"))
		return n
	}
	for i := range number('*') {
		text := make([]byte, number('$')+len("\r\n"))
		if err == nil {
			_, err = io.ReadFull(in, text)
		}
		if err != nil {
			break
		}
		raw = append(raw, text...)
		if i == 0 {
			name = string(text[:len(text)-len("\r\n")])
		}
	}
	return raw, name, err
}
