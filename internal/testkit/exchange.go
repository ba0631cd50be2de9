package testkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Exchange is one request and the reply that a handler scripts for it. Every
// write goes out on the wire at once. A write that fails, because the client
// has gone, makes the following ones do nothing; ask Err. A script that breaks
// its own rules, such as a second head, panics.
//
// The methods may be called from other goroutines than the handler's, but not
// after the handler has returned.
type Exchange struct {
	// Request is what came in.
	Request *Request

	conn    net.Conn
	closing <-chan struct{} // closed when the upstream is being closed
	gone    chan struct{}   // closed when the client has closed its side

	mu      sync.Mutex
	err     error // of the first write that failed
	head    bool  // the final head was written
	framing framing
	left    int64 // bytes of the announced length still to come
	closes  bool  // the connection ends with the reply
}

// framing says where a reply's body ends.
type framing int

const (
	bodyUntilClose framing = iota
	bodySized
	bodyChunked
	bodyNone
)

// WriteHead writes the status line and the header lines, each given as
// "Name: value", exactly as they are. They decide how the body is framed: by
// Content-Length, in chunks by "Transfer-Encoding: chunked", and without
// either by closing the connection after the handler. An informational status
// (1xx) may precede the final one.
func (x *Exchange) WriteHead(status int, lines ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.head {
		panic("BUG: the script writes a second head")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	var h Header
	for _, line := range lines {
		b.WriteString(line + "\r\n")
		name, value, _ := strings.Cut(line, ":")
		h = append(h, Field{Name: name, Value: strings.TrimSpace(value)})
	}
	b.WriteString("\r\n")
	if status >= http.StatusOK {
		x.head = true
		x.frameLocked(status, h)
	}
	x.writeLocked([]byte(b.String()))
}

// frameLocked chooses the framing by RFC 9112 §6.3.
func (x *Exchange) frameLocked(status int, h Header) {
	x.closes = h.closes()
	length := h.Value("Content-Length")
	switch {
	case x.Request.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified:
		x.framing = bodyNone
	case h.chunked():
		x.framing = bodyChunked
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			panic("BUG: the script's Content-Length is " + length)
		}
		x.framing, x.left = bodySized, n
	default:
		x.framing, x.closes = bodyUntilClose, true
	}
}

// Write sends a piece of the body: one chunk in a chunked reply, the bytes as
// they are otherwise, nothing where the reply has no body. An empty piece
// sends nothing.
func (x *Exchange) Write(p []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.head {
		panic("BUG: the script writes a body before the head")
	}
	if len(p) == 0 || x.framing == bodyNone {
		return
	}
	if x.framing == bodyChunked {
		p = fmt.Appendf(nil, "%x\r\n%s\r\n", len(p), p)
	}
	if x.framing == bodySized {
		x.left -= int64(len(p))
	}
	x.writeLocked(p)
}

// WriteRaw sends bytes outside all framing, for replies that break the rules.
// A reply made of raw bytes alone ends with the connection.
func (x *Exchange) WriteRaw(p []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.head {
		x.head, x.closes = true, true
	}
	x.writeLocked(p)
}

func (x *Exchange) writeLocked(p []byte) {
	if x.err != nil {
		return
	}
	if _, err := x.conn.Write(p); err != nil {
		x.err = fmt.Errorf("write to the client: %w", err)
	}
}

// Err returns the first failure to write, or nil.
func (x *Exchange) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Cut closes the connection at once, whatever was promised.
func (x *Exchange) Cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = errors.New("the script cut the connection")
	}
	_ = x.conn.Close()
}

// Reset breaks the connection at once with a TCP reset instead of a FIN.
func (x *Exchange) Reset() {
	resetOnClose(x.conn)
	x.Cut()
}

// ClientGone is closed when the client has closed its side of the connection.
// A client that sent a further request before it left is not noticed.
func (x *Exchange) ClientGone() <-chan struct{} { return x.gone }

// Hold waits, without answering, until the context ends, the client has gone
// or the test is over.
func (x *Exchange) Hold(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-x.gone:
	case <-x.closing:
	}
}

// finish completes the reply and reports whether the connection can be used
// for another.
func (x *Exchange) finish() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.head && x.framing == bodyChunked {
		x.writeLocked([]byte("0\r\n\r\n"))
	}
	return x.head && !x.closes && x.left == 0 && x.err == nil
}

// resetOnClose makes a later Close send a TCP reset.
func resetOnClose(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
