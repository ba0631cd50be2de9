package testkit

import (
	"bufio"
	"net"
)

// upstreamConn is one accepted connection. Its serve goroutine owns it; busy
// belongs to the upstream's mutex.
type upstreamConn struct {
	upstream *Upstream
	conn     net.Conn
	number   int
	r        *bufio.Reader
	busy     bool
}

func newUpstreamConn(u *Upstream, c net.Conn, number int) *upstreamConn {
	return &upstreamConn{upstream: u, conn: c, number: number, r: bufio.NewReader(c)}
}

// serve answers requests one after the other until either side has enough.
func (c *upstreamConn) serve() {
	defer c.upstream.forget(c)
	defer c.close()
	for {
		req, err := readRequest(c.r, c.conn)
		if err != nil {
			return
		}
		req.Conn = c.number
		handle := c.upstream.begin(c, req)
		if handle == nil {
			return
		}
		if !c.exchange(req, handle) {
			return
		}
	}
}

// exchange runs the handler for one request and reports whether the connection
// can carry another. While the handler runs, a watcher waits for the client's
// next byte: an end instead of a byte means that the client has gone.
func (c *upstreamConn) exchange(req *Request, handle func(*Exchange)) bool {
	x := &Exchange{
		Request: req,
		conn:    c.conn,
		closing: c.upstream.closing,
		gone:    make(chan struct{}),
	}
	watched := make(chan struct{})
	c.upstream.done.Go(func() {
		defer close(watched)
		if _, err := c.r.Peek(1); err != nil {
			close(x.gone)
		}
	})
	handle(x)
	reusable := x.finish() && !req.Header.closes()
	if reusable {
		c.upstream.end(c)
	} else {
		c.close()
	}
	<-watched
	return reusable
}

// close breaks the connection. Closing twice is harmless.
func (c *upstreamConn) close() { _ = c.conn.Close() }
