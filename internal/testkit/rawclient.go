package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// RawClient is one TCP connection to a server, without a notion of what a
// valid request is. Every method that reads or writes fails the test when the
// connection breaks or nothing comes within Patience; call them from the test's
// own goroutine. Make one with [Dial].
type RawClient struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// Dial connects to addr, given as "host:port" or as "http://host:port". The
// connection is closed when the test ends.
func Dial(t testing.TB, addr string) *RawClient {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(addr, "http://"), Patience)
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &RawClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// DialFrom is Dial from an address of this machine, which the server sees as its peer's.
func DialFrom(t testing.TB, address, addr string) *RawClient {
	t.Helper()
	from := &net.Dialer{Timeout: Patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := from.DialContext(t.Context(), "tcp", strings.TrimPrefix(addr, "http://"))
	if err != nil {
		t.Fatalf("dial %s from %s: %v", addr, address, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &RawClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// Write sends the bytes exactly as they are. Several requests in one Write are
// pipelined.
func (c *RawClient) Write(raw string) {
	c.t.Helper()
	c.wait()
	if _, err := io.WriteString(c.conn, raw); err != nil {
		c.t.Fatalf("write %d bytes: %v", len(raw), err)
	}
}

// Send writes a well-formed request: the method, the target, a Host line, the
// given header lines as "Name: value", and, with a body, its length.
func (c *RawClient) Send(method, target, body string, lines ...string) {
	c.t.Helper()
	c.Write(FormatRequest(method, target, c.conn.RemoteAddr().String(), body, lines...))
}

// Post sends a POST with a JSON body and the Accept line that MCP asks for.
func (c *RawClient) Post(target, body string, lines ...string) {
	c.t.Helper()
	c.Send("POST", target, body, append([]string{
		"Content-Type: application/json",
		"Accept: application/json, text/event-stream",
	}, lines...)...)
}

// CloseWrite sends a FIN, or over TLS the alert that stands for it, and keeps
// the reading side open.
func (c *RawClient) CloseWrite() {
	c.t.Helper()
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatalf("close the writing side: %v", err)
	}
}

// SendFIN closes the writing side of the TCP connection, under TLS too, and
// keeps the reading side open.
func (c *RawClient) SendFIN() {
	c.t.Helper()
	conn := c.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = t.NetConn()
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatalf("send FIN: %v", err)
	}
}

// Close closes the connection, as a client that leaves.
func (c *RawClient) Close() { _ = c.conn.Close() }

// Reset breaks the connection with a TCP reset, as a client that crashes.
func (c *RawClient) Reset() {
	resetOnClose(c.conn)
	c.Close()
}

// AwaitClosed reads until the server has closed the connection, by FIN or by
// reset, and returns the bytes that came before.
func (c *RawClient) AwaitClosed() string {
	c.t.Helper()
	c.wait()
	rest, err := io.ReadAll(c.r)
	if timedOut(err) {
		c.t.Fatalf("the server did not close the connection within %s", Patience)
	}
	return string(rest)
}

// wait gives the next operation its deadline.
func (c *RawClient) wait() { _ = c.conn.SetDeadline(time.Now().Add(Patience)) }

// FormatRequest returns the bytes of an HTTP/1.1 request. A Content-Length line
// is added when there is a body and no line of that name or of
// Transfer-Encoding among the given ones.
func FormatRequest(method, target, host, body string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	framed := body == ""
	for _, line := range lines {
		b.WriteString(line + "\r\n")
		name, _, _ := strings.Cut(strings.ToLower(line), ":")
		framed = framed || name == "content-length" || name == "transfer-encoding"
	}
	if !framed {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}
