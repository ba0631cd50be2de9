package testkit

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reply is a reply as it came. From ReadHead the Body is empty and its bytes
// are still to be read, with ReadEvent, ReadPiece or ReadBody.
type Reply struct {
	Status int
	Header Header
	Body   string

	// Err is how the body ended: nil for a whole body, io.ErrUnexpectedEOF
	// when the connection ended before the body did, or another read error.
	Err error

	client *RawClient
	body   io.Reader
	events *eventReader
}

// ReadReply reads one whole reply to a request other than HEAD. A body that is
// cut is no failure of the test: see [Reply.Err].
func (c *RawClient) ReadReply() *Reply {
	c.t.Helper()
	r := c.ReadHead()
	r.ReadBody()
	return r
}

// ReadHead reads the head of a reply to a request other than HEAD, passing
// over interim ones (1xx).
func (c *RawClient) ReadHead() *Reply { c.t.Helper(); return c.readHead(http.MethodGet) }

// ReadInterim reads the head of one interim reply (1xx) and returns its status.
// Any other reply fails the test.
func (c *RawClient) ReadInterim() int {
	c.t.Helper()
	c.wait()
	start, _, err := readHead(c.r)
	if err != nil || !strings.HasPrefix(start, "HTTP/1.1 1") {
		c.t.Fatalf("read an interim reply: %v (got %q)", err, start)
	}
	_, rest, _ := strings.Cut(start, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		c.t.Fatalf("status line %q is malformed", start)
	}
	return status
}

// ReadReplyToHEAD reads the reply to a HEAD request, which never has a body
// whatever its header says.
func (c *RawClient) ReadReplyToHEAD() *Reply { c.t.Helper(); return c.readHead(http.MethodHead) }

func (c *RawClient) readHead(method string) *Reply {
	c.t.Helper()
	for {
		c.wait()
		start, h, err := readHead(c.r)
		if err != nil {
			c.t.Fatalf("read the head of a reply: %v (got %q)", err, start)
		}
		_, rest, _ := strings.Cut(start, " ")
		code, _, _ := strings.Cut(rest, " ")
		status, err := strconv.Atoi(code)
		if err != nil || !strings.HasPrefix(start, "HTTP/1.") {
			c.t.Fatalf("status line %q is malformed", start)
		}
		if status < http.StatusOK {
			continue
		}
		r := &Reply{Status: status, Header: h, client: c, body: strings.NewReader("")}
		if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
			return r
		}
		if r.body, err = newBody(c.r, h, true); err != nil {
			c.t.Fatalf("read the head of a reply: %v", err)
		}
		return r
	}
}

// ReadBody reads what is left of the body into Body and its end into Err. It
// fails the test when the body does not end within Patience.
func (r *Reply) ReadBody() string {
	r.client.t.Helper()
	r.client.wait()
	p, err := io.ReadAll(r.body)
	if timedOut(err) {
		r.client.t.Fatalf("the body did not end within %s, so far %q", Patience, p)
	}
	r.Body, r.Err = string(p), err
	return r.Body
}

// ReadPiece returns the next bytes of the body as soon as there are any, with
// the time of their arrival. At the end of the body it returns the empty string
// and sets Err as ReadBody does.
func (r *Reply) ReadPiece() (string, time.Time) {
	r.client.t.Helper()
	r.client.wait()
	p := make([]byte, 64<<10)
	for {
		n, err := r.body.Read(p)
		if timedOut(err) {
			r.client.t.Fatalf("no piece of the body came within %s", Patience)
		}
		if n > 0 {
			return string(p[:n]), time.Now()
		}
		if err != nil {
			r.Err = bodyEnd(err)
			return "", time.Now()
		}
	}
}

// bodyEnd is nil for the regular end of a body.
func bodyEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// timedOut says whether a wait has run out.
func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
