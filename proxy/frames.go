package proxy

import (
	"io"
	"sync"

	"sark/internal/mcp"
)

// frameReaders holds readers of event streams that ended.
var frameReaders = sync.Pool{New: func() any { return new(mcp.FrameReader) }}

// newFrames returns a reader of an event stream, to be given back with freeFrames. Where every frame must be understood, one
// that is too large to be held ends the stream; where only requests to the client must be, answers pass in parts.
func newFrames(r io.Reader, limit int, understand bool) *mcp.FrameReader {
	f := frameReaders.Get().(*mcp.FrameReader)
	f.Reset(r, limit)
	if !understand {
		f.SplitAnswers()
	}
	return f
}

// freeFrames gives a reader back; nil does nothing.
func freeFrames(f *mcp.FrameReader) {
	if f == nil {
		return
	}
	f.Reset(nil, 0)
	frameReaders.Put(f)
}
