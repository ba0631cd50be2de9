package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
)

// readHead reads a start line and the header lines up to the empty line. It
// returns what it has read together with an error. The error is io.EOF only
// when the connection ended before the first byte.
func readHead(r *bufio.Reader) (start string, h Header, err error) {
	start, err = readLine(r)
	if err != nil {
		return start, nil, err
	}
	for {
		line, err := readLine(r)
		if err != nil {
			return start, h, fmt.Errorf("read a header line: %w", noEOF(err))
		}
		if line == "" {
			return start, h, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return start, h, fmt.Errorf("header line %q has no colon", line)
		}
		h = append(h, Field{Name: name, Value: strings.Trim(value, " \t")})
	}
}

// readLine reads one line without its end. For a line cut off by the end of
// the connection the error is io.ErrUnexpectedEOF.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if line != "" {
		err = noEOF(err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), err
}

// newBody returns the body of a message as its header frames it. Without a
// length and without chunks the body is empty, or, when untilClose is set, all
// that comes until the connection ends.
func newBody(r *bufio.Reader, h Header, untilClose bool) (io.Reader, error) {
	if h.chunked() {
		return &chunkedBody{chunks: httputil.NewChunkedReader(r), r: r}, nil
	}
	length := h.Value("Content-Length")
	if length == "" && untilClose {
		return r, nil
	}
	if length == "" {
		return strings.NewReader(""), nil
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read Content-Length: %w", err)
	}
	return &sizedBody{r: r, left: n}, nil
}

// chunkedBody reads chunks and, after the last, the trailer section, so that
// the reader stands at the next message.
type chunkedBody struct {
	chunks io.Reader
	r      *bufio.Reader
	done   bool
}

// Read implements [io.Reader].
func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.chunks.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	for {
		line, err := readLine(b.r)
		if err != nil {
			return n, noEOF(err)
		}
		if line == "" {
			b.done = true
			return n, io.EOF
		}
	}
}

// sizedBody reads exactly the announced number of bytes and takes an earlier
// end for an error.
type sizedBody struct {
	r    io.Reader
	left int64
}

// Read implements [io.Reader].
func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, noEOF(err)
}

// noEOF turns the end of a connection within a message into an error that
// cannot be mistaken for the end of the message.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
