package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// connPool is the part of a pool that hands out connections. It is generic because fasthttp does not export their type.
type connPool[C any] interface {
	begin()
	end() (keep bool)
	AcquireConn(timeout time.Duration, connectionClose bool) (C, error)
	ReleaseConn(c C)
	CloseConn(c C)
	AcquireReader(conn net.Conn) *bufio.Reader
	ReleaseReader(r *bufio.Reader)
}

// pooled is a connection of a connPool.
type pooled interface{ Conn() net.Conn }

// fresh takes a connection from the pool, or dials one. Pooled ones that went stale are put away: nothing was sent yet,
// so another is as good.
func fresh[C pooled](pool connPool[C]) (C, error) {
	pool.begin()
	for {
		c, err := pool.AcquireConn(0, false)
		if err != nil {
			pool.end()
			return c, err
		}
		if r := rolling(c.Conn()); r == nil || !r.stale() {
			return c, nil
		}
		pool.CloseConn(c)
	}
}

// lease is a connection in use for one request. It ends with give. It is a value, so that a request whose reply is read
// at once costs no allocation; hold makes one that lasts.
type lease[C pooled] struct {
	pool    connPool[C]
	c       C
	r       *bufio.Reader
	rolling *rollingConn // nil for connections that were not dialled here
	closing bool         // the server closes the connection after its reply
	small   *sync.Pool   // where r is from; nil when it is from pool
}

func newLease[C pooled](pool connPool[C], c C) lease[C] {
	return lease[C]{pool: pool, c: c, r: pool.AcquireReader(c.Conn()), rolling: rolling(c.Conn())}
}

// held is a lease that outlives the function which took it.
type held interface {
	buffered() []byte
	watch(w watcher)
	give(dirty bool)
}

func (l *lease[C]) hold() held {
	h := *l
	return &h
}

// expect sets how long the server may be silent from now on, and who is asked meanwhile.
func (l *lease[C]) expect(limit time.Duration, w watcher) {
	if l.rolling != nil {
		l.rolling.expect(limit, w)
	}
}

// bound sets how long the whole exchange may take from now on; 0 sets no limit.
func (l *lease[C]) bound(total time.Duration) {
	if l.rolling != nil {
		l.rolling.bound(total)
	}
}

// buffered is what has come and was not read yet.
func (l *lease[C]) buffered() []byte {
	b, _ := l.r.Peek(l.r.Buffered()) // never more than what is there
	return b
}

// watch replaces who is asked while the server is silent.
func (l *lease[C]) watch(w watcher) {
	if l.rolling != nil {
		l.rolling.watcher = w
	}
}

// exchange sends a request and reads the head of its reply.
func (l *lease[C]) exchange(pool *pool, req *fasthttp.Request, resp *fasthttp.Response) error {
	bw := pool.AcquireWriter(l.c.Conn())
	err := req.Write(bw)
	if err == nil {
		err = bw.Flush()
	}
	pool.ReleaseWriter(bw)
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return l.readHead(resp)
}

// maxInterim is how many interim replies a server may send before its final one: it is not silent with them, and could go on
// for ever.
const maxInterim = 16

// readHead reads the head of the final reply, passing over interim ones (RFC 9110 section 15.2).
func (l *lease[C]) readHead(resp *fasthttp.Response) error {
	for range maxInterim + 1 {
		if err := resp.Header.Read(l.r); err != nil {
			return l.headError(err)
		}
		switch code := resp.StatusCode(); {
		case code == 101: // nobody asked for it
			return errSwitched
		case code < 100 || code > 199:
			return nil
		}
	}
	return errInterim
}

// http1 is what every reply begins with.
var http1 = []byte("HTTP/1.")

// headError says what failed while a reply's head was read. fasthttp's own text would quote the head, cookies included.
func (l *lease[C]) headError(err error) error {
	var small *fasthttp.ErrSmallBuffer
	begin := l.buffered()
	begin = begin[:min(len(begin), len(http1))]
	switch {
	case errors.Is(err, fasthttp.ErrTimeout):
		return err
	case errors.As(err, &small):
		return errLongHead
	case !bytes.HasPrefix(http1, begin):
		return errNotHTTP1
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = cause
	}
	return fmt.Errorf("read reply header: %w", err)
}

// How many bytes a lease holds to read an event stream: that of a call, which will soon be over, and one that may be silent
// for hours.
const (
	streamBuffer = 4 << 10
	idleBuffer   = 512
)

// The readers of event streams; those of a pool hold as much as a head may be long.
var (
	streamReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, streamBuffer) }}
	idleReaders   = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, idleBuffer) }}
)

// shrink changes to a small reader, unless more has come than it can hold. idle says that the stream may be silent for long.
func (l *lease[C]) shrink(idle bool) {
	come, small := l.buffered(), &streamReaders
	switch {
	case len(come) > streamBuffer:
		return
	case idle && len(come) <= idleBuffer:
		small = &idleReaders
	}
	r := small.Get().(*bufio.Reader)
	r.Reset(&continued{come: come, rest: l.c.Conn()})
	if len(come) > 0 {
		_, _ = r.Peek(len(come)) // cannot fail: they are here
	}
	l.pool.ReleaseReader(l.r)
	l.r, l.small = r, small
}

// continued reads what has come already, at once, and then the rest.
type continued struct {
	come []byte
	rest io.Reader
}

// Read implements io.Reader.
func (c *continued) Read(p []byte) (int, error) {
	if len(c.come) == 0 {
		return c.rest.Read(p)
	}
	n := copy(p, c.come)
	c.come = c.come[n:]
	return n, nil
}

// give ends the lease: the connection goes back to the pool, or is closed when it is dirty, when the server said so, when
// the server sent more than its reply, which would be taken for the next one, or when enough others are idle.
func (l *lease[C]) give(dirty bool) {
	dirty = dirty || l.closing || l.r.Buffered() > 0
	if l.small != nil {
		l.r.Reset(nil)
		l.small.Put(l.r)
	} else {
		l.pool.ReleaseReader(l.r)
	}
	l.watch(nil)
	l.bound(0)
	if keep := l.pool.end(); dirty || !keep {
		l.pool.CloseConn(l.c)
		return
	}
	l.pool.ReleaseConn(l.c)
}
