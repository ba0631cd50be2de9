package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// bufferLimit is the longest reply of known length that is read into memory at once; longer ones are streamed.
const bufferLimit = 64 << 10

// transport sends a request over a pooled connection, once: a call may have effects, and is never repeated after its
// first byte. It reads the reply's header first and only then chooses: a known, small length that is no event stream is
// read into the response's pooled buffer and the connection goes back at once; everything else becomes an upstreamBody
// that is pulled.
type transport struct {
	firstByte, streamIdle time.Duration
	total                 time.Duration // from the first byte sent to the last one read; 0 means no limit
	idle                  bool          // its event streams may be silent for hours
}

// roundTrip sends req and reads the head of its reply into resp, and the body when it is short. w is asked while the
// server is silent, before its first byte and later in the body of a streamed reply.
func (t *transport) roundTrip(pool *pool, req *fasthttp.Request, resp *fasthttp.Response, w watcher) error {
	c, err := fresh(pool)
	if err != nil {
		return err
	}
	l := newLease(pool, c)
	l.expect(t.firstByte, w)
	l.bound(t.total)
	if err := l.exchange(pool, req, resp); err != nil {
		l.give(true)
		return err
	}
	l.closing = resp.ConnectionClose()
	n, code := resp.Header.ContentLength(), resp.StatusCode()
	switch {
	case req.Header.IsHead() || code == 204 || code == 304:
		resp.SkipBody = true
		l.give(false)
	case n >= 0 && n <= bufferLimit && !eventStream(resp.Header.ContentType()):
		err := resp.ReadBody(l.r, bufferLimit)
		l.give(err != nil)
		if err != nil {
			return fmt.Errorf("read reply: %w", err)
		}
	default:
		l.expect(t.streamIdle, w)
		if eventStream(resp.Header.ContentType()) {
			l.shrink(t.idle)
		}
		body, err := newUpstreamBody(l.hold(), l.r, n)
		if err != nil {
			l.give(true)
			return fmt.Errorf("read reply: %w", err)
		}
		if eventStream(resp.Header.ContentType()) {
			resp.SetBodyStream(eventBody{body}, n)
		} else {
			resp.SetBodyStream(body, n)
		}
	}
	return nil
}

// mediaSSE is the media type of event streams.
const mediaSSE = "text/event-stream"

func eventStream(contentType []byte) bool {
	return len(contentType) >= len(mediaSSE) && bytes.EqualFold(contentType[:len(mediaSSE)], []byte(mediaSSE))
}

// bodies holds the second response object that fasthttp needs to read a body from a connection of ours.
var bodies = sync.Pool{New: func() any { return new(fasthttp.Response) }}

// upstreamBody is the body of a streamed reply, tied to its connection. The connection goes back to the pool only when the
// body was read to its end: leftovers would be the next caller's reply. fasthttp reads and closes it; once an exchange has
// attached its bodyStream, both go there.
type upstreamBody struct {
	lease held // nil once it was given back
	inner *fasthttp.Response
	r     io.Reader
	outer *bodyStream // nil until attached
	eof   bool
}

func newUpstreamBody(l held, r *bufio.Reader, length int) (*upstreamBody, error) {
	inner := bodies.Get().(*fasthttp.Response)
	inner.StreamBody = true
	inner.Header.SetContentLength(length)
	if err := inner.ReadBody(r, 0); err != nil { // only attaches the reader
		return nil, err
	}
	return &upstreamBody{lease: l, inner: inner, r: inner.BodyStream()}, nil
}

// Read implements io.Reader for fasthttp.
func (b *upstreamBody) Read(p []byte) (int, error) {
	if b.outer != nil {
		return b.outer.read(p)
	}
	return b.pull(p)
}

// CloseWithError is how fasthttp ends a body stream: after the last byte, after a failed write, or when the response is
// reset unread. It implements no Close beside it, since fasthttp would call both.
func (b *upstreamBody) CloseWithError(err error) error {
	if s := b.outer; s != nil {
		b.outer = nil
		s.close(err)
		return nil
	}
	b.done()
	return nil
}

// attach makes s answer for the body from now on.
func (b *upstreamBody) attach(s *bodyStream) {
	b.lease.watch(s)
	b.outer = s
}

// pull reads from the upstream.
func (b *upstreamBody) pull(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		b.eof = true
	}
	return n, err
}

// done ends the lease of the connection, once.
func (b *upstreamBody) done() {
	if b.lease == nil {
		return
	}
	b.inner.Reset()
	bodies.Put(b.inner)
	b.lease.give(!b.eof)
	b.lease = nil
}

// eventBody is the body of an event stream. Its frames are in memory anyway, so that they go to the server's writer as they
// are: the server would hold another 4 KiB for every open stream to copy them. Other bodies must not do so: bytes of a
// reply of known length would wait in the writer.
type eventBody struct{ *upstreamBody }

var _ fasthttp.BodyWriterTo = eventBody{}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (b eventBody) SupportsBodyWriteTo() bool { return b.outer != nil }

// WriteTo implements io.WriterTo.
func (b eventBody) WriteTo(w io.Writer) (int64, error) { return b.outer.writeTo(w) }

// bodyOf returns the body of a reply that is still to be read from its server.
func bodyOf(resp *fasthttp.Response) *upstreamBody {
	switch b := resp.BodyStream().(type) {
	case *upstreamBody:
		return b
	case eventBody:
		return b.upstreamBody
	}
	panic("BUG: streamed reply without an upstream body")
}

// upstreamReader reads past the attached exchange.
type upstreamReader struct{ b *upstreamBody }

// Read implements io.Reader. Whatever the exchange holds by now is charged before more comes.
func (r upstreamReader) Read(p []byte) (int, error) {
	if s := r.b.outer; s != nil && !s.hold() {
		return 0, s.stop
	}
	return r.b.pull(p)
}
