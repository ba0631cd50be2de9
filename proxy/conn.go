package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// watch is how often a read that waits for an upstream asks its watcher.
const watch = time.Second / 2

// watcher is asked now and then while a read waits for an upstream. Its error ends the read.
type watcher interface {
	look(now time.Time) error
}

// rollingConn gives each read and write of an upstream connection a deadline of its own. fasthttp's timeouts are absolute
// and would end a healthy stream (valyala/fasthttp#1743). Deadlines are renewed only when a quarter of their time has
// passed, which costs one clock read a call.
//
// A read that waits long wakes up every watch interval, so that whoever waits for it can look after its client without a
// goroutine of its own.
type rollingConn struct {
	net.Conn
	started time.Time     // the zero of the times below
	limit   time.Duration // how long the peer may be silent; 0 means for ever
	watcher watcher       // nil when nobody is to be asked
	read    time.Duration // when the read deadline was last renewed; 0 when it must be
	write   time.Duration
	used    time.Duration // when the last read or write began
	until   time.Duration // when the exchange must be over; 0 means never

	usage  *usage // of the pool that dialled it; nil for none
	closed atomic.Bool
}

func newRollingConn(c net.Conn, u *usage) *rollingConn {
	return &rollingConn{Conn: c, started: time.Now(), usage: u}
}

// Close implements net.Conn. The pool counts it once.
func (c *rollingConn) Close() error {
	if c.usage != nil && !c.closed.Swap(true) {
		c.usage.open.Add(-1)
	}
	return c.Conn.Close()
}

// rolling returns the connection below c that was dialled here; nil when there is none.
func rolling(c net.Conn) *rollingConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	r, _ := c.(*rollingConn)
	return r
}

// expect sets how long the peer may be silent from now on, and who is asked meanwhile.
func (c *rollingConn) expect(limit time.Duration, w watcher) {
	c.watcher = w
	if c.limit != limit { // else the next read renews the deadline when it is due
		c.limit, c.read, c.write = limit, 0, 0
	}
}

// bound sets how long all reads from now on may take together, whatever comes meanwhile; 0 sets no limit.
func (c *rollingConn) bound(total time.Duration) {
	if total == 0 {
		c.until = 0
		return
	}
	c.until = time.Since(c.started) + total
}

// Read returns what the peer sent. When the peer is silent for longer than its limit the error is a timeout.
func (c *rollingConn) Read(p []byte) (int, error) {
	began := time.Since(c.started)
	c.used = began
	if c.until > 0 && began >= c.until {
		return 0, errTooLong
	}
	step := watch
	if c.limit > 0 {
		step = min(watch, c.limit)
	}
	if c.read == 0 || began-c.read > step/4 {
		c.read = began
		if err := c.SetReadDeadline(c.started.Add(began + step + step/4)); err != nil {
			return 0, err
		}
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.wait(began, err); err != nil {
			return 0, err
		}
	}
}

// wait is called when nothing came for a while. It returns the timeout when the peer's time is up, else sets the next
// deadline.
func (c *rollingConn) wait(began time.Duration, timeout error) error {
	now := time.Since(c.started)
	switch {
	case c.limit > 0 && now-began >= c.limit:
		return timeout
	case c.until > 0 && now >= c.until:
		return errTooLong
	}
	if c.watcher != nil {
		if err := c.watcher.look(c.started.Add(now)); err != nil {
			return err
		}
	}
	next := now + watch
	if c.limit > 0 {
		next = min(next, began+c.limit)
	}
	if c.until > 0 {
		next = min(next, c.until)
	}
	c.read = 0
	return c.SetReadDeadline(c.started.Add(next))
}

// Write sends p. The peer may take its limit for each write.
func (c *rollingConn) Write(p []byte) (int, error) {
	now := time.Since(c.started)
	c.used = now
	if c.limit > 0 && (c.write == 0 || now-c.write > c.limit/4) {
		c.write = now
		if err := c.SetWriteDeadline(c.started.Add(now + c.limit + c.limit/4)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// errTooLong is the end of an exchange that took longer than all of its time: a timeout like that of a silent peer.
var errTooLong net.Error = tooLong{}

type tooLong struct{}

// Error implements error.
func (tooLong) Error() string { return "the exchange took longer than its total time" }

// Timeout implements net.Error.
func (tooLong) Timeout() bool { return true }

// Temporary implements net.Error.
func (tooLong) Temporary() bool { return false }

// quiet is how long a pooled connection may have been idle before it is looked at: on a busy one the call would be wasted.
const quiet = 20 * time.Millisecond

// stale reports whether a connection that was idle for a while must not be used: its peer has closed it, and a request
// that may be sent only once would be lost, or has sent something that nobody asked for, which would be taken for the
// reply.
func (c *rollingConn) stale() bool {
	if time.Since(c.started)-c.used <= quiet {
		return false
	}
	return peek(c.Conn) != waiting
}
