package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/internal/mcp"
)

var (
	errClientGone = errors.New("client left")
	errDraining   = errors.New("gateway is draining")
	errAged       = errors.New("stream has reached its age")
)

// attach hands a streamed reply to the server, which pulls it after the handler returned: fasthttp has no other way to
// stream without a goroutine that outlives the handler. Headers go out at once, since clients wait for them
// (valyala/fasthttp#575), or with the first bytes of the body where these are already here.
func (h *Handler) attach(x *Exchange) {
	resp := &x.ctx.Response
	up := bodyOf(resp)
	s := &bodyStream{x: x, up: up, lastByte: x.Start}
	length := resp.Header.ContentLength()
	x.mark()
	x.out.status = resp.StatusCode()
	if eventStream(resp.Header.ContentType()) {
		s.frames = newFrames(upstreamReader{up}, h.o.MaxBuffered, x.mayFilter() || x.mayWant())
		resp.Header.SetContentLength(-1) // comments may be added, and items removed
	} else if x.answers() {
		s.answer = new(mcp.Answer)
	}
	resp.ImmediateHeaderFlush = !s.begun(length)
	if x.longLived() {
		h.open(x)
	}
	h.metrics.streams.Inc()
	up.attach(s)
}

// begun reports whether the first read will give bytes without waiting and the server will send them on at once, which
// it does not for a reply of known length. Comments rely on the head being out before anything is waited for, so an event
// that may be dropped does not count.
func (s *bodyStream) begun(length int) bool {
	come := s.up.lease.buffered()
	switch {
	case s.frames != nil:
		return !s.x.mayFilter() && !s.x.mayWant() && bytes.Contains(come, []byte("\n\n"))
	case length == -1: // in chunks
		_, data, _ := bytes.Cut(come, []byte("\r\n"))
		return len(data) > 0
	}
	return length < 0 && len(come) > 0
}

// longLived reports whether an exchange leaves two events from the start.
func (x *Exchange) longLived() bool {
	return x.Call.Route == "mcp.stream" || x.Call.Method == "subscriptions/listen"
}

// bodyStream is a reply on its way from upstream to client. The server calls read, or writeTo, and then, once, close, from the
// goroutine of the client's connection. While a read waits for a silent upstream, the upstream's connection calls look.
type bodyStream struct {
	x        *Exchange
	up       *upstreamBody
	frames   *mcp.FrameReader // nil: bytes pass as they come
	answer   *mcp.Answer      // which they must be, to pass; nil: they may be anything
	rest     []byte           // of the frame in hand
	made     int              // bytes of memory that were taken for it beside the frame
	lastByte time.Time        // when the client was last sent something
	deadline time.Time        // of the next write, when last renewed
	stop     error            // why look ended the stream; what passes fasthttp's readers loses its identity
	fail     error            // of the upstream
	eof      bool
}

// read gives out the next bytes as soon as there are any. It returns an error, and thereby ends the reply without its
// final chunk, when the client left or the upstream broke off.
func (s *bodyStream) read(p []byte) (n int, err error) {
	defer s.guard(&err)
	if s.frames == nil {
		n, err = s.up.pull(p)
		if s.answer != nil && !s.answer.Feed(p[:n]) {
			n, err = 0, errAsks
		}
	} else {
		err = s.next()
		n = copy(p, s.rest)
		s.rest = s.rest[n:]
	}
	return s.pass(p[:n], err)
}

// piece is the most that writeTo gives to one write, which has its own deadline.
const piece = 16 << 10

// writeTo does for event streams what read does, without a buffer between the frames and the server's writer.
func (s *bodyStream) writeTo(w io.Writer) (written int64, err error) {
	for {
		b, err := s.take()
		if len(b) > 0 {
			n, err := w.Write(b)
			if written += int64(n); err != nil {
				return written, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return written, nil
		case err != nil:
			return written, err
		}
	}
}

// take gives out the next bytes of the frame in hand, or of the next one.
func (s *bodyStream) take() (b []byte, err error) {
	defer s.guard(&err)
	err = s.next()
	b = s.rest[:min(len(s.rest), piece)]
	s.rest = s.rest[len(b):]
	n, err := s.pass(b, err)
	return b[:n], err
}

// pass counts bytes that are about to go to the client, and says how many may, and how the stream ended if it did.
func (s *bodyStream) pass(b []byte, err error) (int, error) {
	switch {
	case err == nil:
	case errors.Is(s.stop, errDraining), errors.Is(s.stop, errAged):
		return 0, io.EOF
	case s.stop != nil:
		return 0, s.stop
	case errors.Is(err, io.EOF):
		s.eof = true
	default:
		s.fail = err
	}
	s.x.out.bytes += int64(len(b))
	if s.x.part != nil {
		if s.x.out.bytes > int64(s.x.h.o.MaxBuffered) {
			s.fail = errBatchLarge
			return 0, s.fail
		}
		if !s.hold() {
			return 0, s.stop
		}
	}
	s.x.copyFill(b)
	s.renew()
	return len(b), err
}

// guard keeps a panic inside its stream: fasthttp would swallow it.
func (s *bodyStream) guard(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	h := s.x.h
	h.o.Log.Error("panic while streaming a reply",
		zap.Stringer("exchange_id", s.x.ID), zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
	h.metrics.panics.Inc()
	s.fail = fmt.Errorf("panic: %v", cause)
	s.x.problem = &Problem{Status: 500, Rule: "internal", Reason: "internal error", Cause: s.fail}
	*err = s.fail
}

// next reads frames until there is something of one to give out.
func (s *bodyStream) next() error {
	for len(s.rest) == 0 {
		s.rest, s.made = nil, 0
		if s.stop = s.drained(); s.stop != nil {
			return s.stop
		}
		fr, err := s.frames.Next()
		if s.stop != nil {
			return s.stop // and not with half a frame
		}
		if err != nil {
			return err
		}
		if !fr.Part || fr.Complete {
			s.x.out.frames++
		}
		s.rest = s.x.h.filterFrame(s.x, &fr)
		if len(s.rest) > 0 && &s.rest[0] != &fr.Raw[0] {
			s.made = cap(s.rest)
		}
		if !s.hold() {
			return s.stop
		}
	}
	return nil
}

// hold charges for what the stream holds, and stops it where that is too much. A reply to a message of a batch is put together
// in memory.
func (s *bodyStream) hold() bool {
	n := s.x.bodyIn() + s.made
	if s.frames != nil {
		n += s.frames.Held()
	}
	if s.x.part != nil {
		n += int(s.x.out.bytes)
	}
	if s.x.hold(n) {
		return true
	}
	s.stop = errHeld
	return false
}

// look implements watcher while the upstream is silent within its reply.
func (s *bodyStream) look(now time.Time) error {
	h := s.x.h
	s.stop = s.drained()
	switch {
	case s.stop != nil:
	case gone(s.x.ctx.Conn()):
		s.stop = errClientGone
	case s.x.part == nil && s.frames != nil && !s.frames.Within() && now.Sub(s.lastByte) >= h.o.Heartbeat:
		s.stop = s.comment()
	}
	if now.Sub(s.x.Start) >= h.o.OpenAfter {
		h.open(s.x)
	}
	return s.stop
}

// drained returns errDraining when the gateway wants the stream to end: at once when it would never end by itself, and
// any other stream when the time for calls in progress is over. A stream that would never end by itself ends with errAged
// when it is as old as may be.
func (s *bodyStream) drained() error {
	phase := s.x.h.phase.Load()
	if phase == abandoning || phase == draining && s.x.longLived() {
		return errDraining
	}
	if s.x.longLived() && s.x.h.o.Now().Sub(s.x.Start) >= s.x.h.o.MaxStreamAge {
		return errAged
	}
	return nil
}

// comment is an event stream's way to say nothing.
const comment = ":\n\n"

// comment sends a comment, so that middleboxes keep a silent stream. It goes around the server, in a chunk of its own:
// the server has flushed whatever it was given before it reads on, and it was given whole frames.
func (s *bodyStream) comment() error {
	s.renew()
	if _, err := fmt.Fprintf(s.x.ctx.Conn(), "%x\r\n%s\r\n", len(comment), comment); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	s.x.out.bytes += int64(len(comment))
	return nil
}

// renew moves the deadline of the write that follows. The server's own is absolute and would end a healthy stream
// (valyala/fasthttp#839).
func (s *bodyStream) renew() {
	now := time.Now()
	s.lastByte = now
	if now.Sub(s.x.Start) >= s.x.h.o.OpenAfter { // look is not called while the upstream keeps talking
		s.x.h.open(s.x)
	}
	limit := s.x.h.o.WriteTimeout
	if s.deadline.Sub(now) > limit-limit/4 {
		return
	}
	s.deadline = now.Add(limit)
	if err := s.x.ctx.Conn().SetWriteDeadline(s.deadline); err != nil {
		s.x.h.o.Log.Debug("set write deadline", zap.Error(err))
	}
}

// close ends the exchange: it gives the upstream connection back and records. err is the server's: the write that failed,
// or nil, which is no proof of success.
func (s *bodyStream) close(err error) {
	x := s.x
	s.up.done()
	freeFrames(s.frames)
	x.h.metrics.streams.Dec()
	if s.eof {
		x.h.endFill(x)
	}
	outcome := audit.OutcomeAllowed
	switch {
	case x.problem != nil: // a panic
		outcome = x.problem.outcome()
	case errors.Is(s.stop, errAged), errors.Is(s.stop, errDraining) && x.longLived() || s.eof && err == nil:
	case errors.Is(s.stop, errHeld):
		x.problem = x.h.overheld()
		outcome = x.problem.outcome()
	case s.fail != nil:
		x.problem = upstreamProblem(s.fail)
		outcome = x.problem.outcome()
	case errors.Is(s.stop, errDraining):
		x.problem = stopping(s.stop)
		outcome = x.problem.outcome()
	default:
		if s.stop != nil {
			err = s.stop
		}
		x.problem = clientGone(err)
		x.out.status, outcome = x.problem.Status, x.problem.outcome()
	}
	x.h.finish(x, outcome)
}
