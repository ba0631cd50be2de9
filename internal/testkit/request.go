package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Request is one request as the upstream received it.
type Request struct {
	Method string
	Target string // as written on the request line, undecoded
	Proto  string // "HTTP/1.1"
	Header Header
	Body   []byte // without chunk framing

	// Conn numbers the connection from 1 in the order of acceptance; equal
	// numbers mean a reused connection.
	Conn int

	// At is when the last byte of the request was read.
	At time.Time

	// Err is nil for a whole request. Otherwise the connection broke or the
	// framing was bad, the fields above hold what came, and no handler ran.
	Err error
}

// readRequest reads one request from the connection. It answers
// "Expect: 100-continue" by asking for the body. Before the first byte it
// returns io.EOF or the connection's error and a request with nothing in it.
func readRequest(r *bufio.Reader, w net.Conn) (*Request, error) {
	start, h, err := readHead(r)
	if start == "" && err != nil {
		return nil, err
	}
	req := &Request{Header: h, Err: err, At: time.Now()}
	var ok bool
	req.Method, req.Target, ok = strings.Cut(start, " ")
	req.Target, req.Proto, _ = strings.Cut(req.Target, " ")
	if !ok || req.Proto == "" {
		req.Err = fmt.Errorf("request line %q is malformed", start)
	}
	if req.Err != nil {
		return req, nil
	}
	if strings.EqualFold(h.Value("Expect"), "100-continue") {
		if _, err := io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			req.Err = fmt.Errorf("write 100 Continue: %w", err)
			return req, nil
		}
	}
	body, err := newBody(r, h, false)
	if err == nil {
		req.Body, err = io.ReadAll(body)
	}
	if err != nil {
		req.Err = fmt.Errorf("read the request body: %w", err)
	}
	req.At = time.Now()
	return req, nil
}
