package mcp

import (
	"bytes"
	"errors"
	"io"
)

// ErrFrameTooLong is returned for an event that exceeds the reader's limit.
var ErrFrameTooLong = errors.New("mcp: event exceeds the limit")

const (
	// frameBuffer is how many bytes a reader holds for an idle stream, and how many it asks for at once in the beginning.
	frameBuffer = 512
	// maxEmptyReads is how often a source may give neither bytes nor an error before it counts as broken.
	maxEmptyReads = 100
)

// FrameReader cuts an event stream into frames without waiting for more than the frame in hand: an event is given out as
// soon as the first byte that ends its blank line is there. When that byte is the carriage return of a CRLF that was cut
// in two, the line feed is the first byte of the next frame's Raw. The zero value is not usable; see NewFrameReader.
type FrameReader struct {
	r     io.Reader
	limit int
	buf   []byte
	start int // of the frame in hand
	line  int // of the first line without an end
	seen  int // no line ends between line and here
	wait  bool
	begun bool
	err   error
	data  []byte

	split   bool    // answers over the limit are given out in parts
	within  bool    // the event in hand began with a part that was given out
	midline bool    // and so did the line in hand
	outline outline // of that event
}

// NewFrameReader reads frames of at most limit bytes from r.
func NewFrameReader(r io.Reader, limit int) *FrameReader {
	f := new(FrameReader)
	f.Reset(r, limit)
	return f
}

// maxKeptBuffer is how many bytes a reader keeps for its next frame: one large event must not cost its size for ever.
const maxKeptBuffer = 64 << 10

// Reset begins anew with frames of at most limit bytes from r. It keeps the memory of a reader that was in use, as far as
// that is little; r may be nil to let go of what was read from.
func (f *FrameReader) Reset(r io.Reader, limit int) {
	buf, data := f.buf[:0], f.data[:0]
	if cap(buf) == 0 || cap(buf) > maxKeptBuffer {
		buf = make([]byte, 0, frameBuffer)
	}
	if cap(data) > maxKeptBuffer {
		data = nil
	}
	*f = FrameReader{r: r, limit: limit, buf: buf, data: data}
}

// SplitAnswers makes Next give out an event over the limit in parts, as they come and with no more memory than the limit,
// when its message can only be an answer. One that could be a request to the client is an error as before.
func (f *FrameReader) SplitAnswers() { f.split = true }

// Held is how many bytes of memory the reader has: those of the frame in hand, of what was read behind it, and of its data when
// that has several lines. It is little more than the limit at most, and than twice the limit with several lines. It changes when
// Next reads and when it returns.
func (f *FrameReader) Held() int { return cap(f.buf) + cap(f.data) }

// Within reports whether the last frame was a part whose event goes on.
func (f *FrameReader) Within() bool { return f.within }

// Next returns the next frame. It returns the error of the underlying reader, io.EOF at the end, once the bytes before it
// have been given out, and ErrFrameTooLong from the first frame over the limit on, unless it is split. Raw of all frames
// together is what was read.
func (f *FrameReader) Next() (Frame, error) {
	for {
		end, complete := f.findEnd()
		if !complete {
			end = len(f.buf)
		}
		if end-f.start > f.limit || f.within && end > f.start {
			return f.part(end, complete)
		}
		if complete || f.err != nil && end > f.start {
			return f.take(end, complete), nil
		}
		if f.err != nil {
			return Frame{}, f.err
		}
		f.fill()
	}
}

// findEnd walks over complete lines and stops after a blank one.
func (f *FrameReader) findEnd() (int, bool) {
	for {
		if f.wait && f.line < len(f.buf) { // the line feed of a CRLF that was cut in two
			if f.buf[f.line] == '\n' {
				f.line++
				f.seen = f.line
			}
			f.wait = false
		}
		i := lineEnd(f.buf[f.seen:])
		if i < 0 {
			f.seen = len(f.buf)
			return 0, false
		}
		end := f.seen + i + 1
		blank := end-1 == f.line && !f.midline || f.line == 0 && !f.begun && string(f.buf[:end-1]) == byteOrderMark
		if f.buf[end-1] == '\r' {
			if end == len(f.buf) {
				f.wait = true
			} else if f.buf[end] == '\n' {
				end++
			}
		}
		f.line, f.seen, f.midline = end, end, false
		if blank {
			return end, true
		}
	}
}

// fill moves the frame in hand to the front of the buffer and reads once more.
func (f *FrameReader) fill() {
	if f.start > 0 {
		n := copy(f.buf, f.buf[f.start:])
		f.buf, f.line, f.seen, f.start = f.buf[:n], f.line-f.start, f.seen-f.start, 0
	}
	switch {
	case len(f.buf) == 0 && cap(f.buf) > maxKeptBuffer:
		f.buf, f.data = make([]byte, 0, frameBuffer), nil
	case len(f.buf) == cap(f.buf):
		// A frame that is longer than the limit by one byte is over it: more room would never be used.
		room := min(2*cap(f.buf), max(cap(f.buf), f.limit)+frameBuffer)
		larger := make([]byte, room)
		copy(larger, f.buf)
		f.buf = larger[:len(f.buf)]
	}
	for range maxEmptyReads {
		n, err := f.r.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		if f.err = err; n > 0 || err != nil {
			return
		}
	}
	f.err = io.ErrNoProgress
}

// fail ends the reader for good.
func (f *FrameReader) fail(err error) {
	f.err, f.wait = err, false
	f.buf, f.start, f.line, f.seen = f.buf[:0], 0, 0, 0
}

// part gives out what is in hand of an event over the limit, if the event may be split.
func (f *FrameReader) part(end int, complete bool) (Frame, error) {
	fr := Frame{Raw: f.buf[f.start:end:end], Complete: complete, Part: true}
	if !f.begun && bytes.HasPrefix(fr.Raw, []byte(byteOrderMark)) {
		fr.mark = len(byteOrderMark)
	}
	if !f.within {
		f.outline = outline{}
	}
	if !f.split || !f.outline.feed(fr.Raw[fr.mark:]) {
		f.fail(ErrFrameTooLong)
		return Frame{}, f.err
	}
	f.begun, f.within, f.start = true, !complete, end
	if !complete {
		f.midline = f.line < end
		f.line, f.seen = end, end
	}
	return fr, nil
}

// take gives out the bytes up to end.
func (f *FrameReader) take(end int, complete bool) Frame {
	fr := Frame{Raw: f.buf[f.start:end:end], Complete: complete}
	if !f.begun && bytes.HasPrefix(fr.Raw, []byte(byteOrderMark)) {
		fr.mark = len(byteOrderMark)
	}
	f.begun = true
	f.start = end
	f.data = fr.parse(f.data[:0])
	return fr
}

// lineEnd returns the index of the first carriage return or line feed, or -1. It looks at pieces, so that a stream which
// uses only one of the two is not searched to its end for the other at every line.
func lineEnd(b []byte) int {
	const piece = 512
	for from := 0; from < len(b); from += piece {
		part := b[from:min(from+piece, len(b))]
		lf := bytes.IndexByte(part, '\n')
		if lf >= 0 {
			part = part[:lf]
		}
		if cr := bytes.IndexByte(part, '\r'); cr >= 0 {
			return from + cr
		}
		if lf >= 0 {
			return from + lf
		}
	}
	return -1
}
