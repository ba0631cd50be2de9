package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// Lifetimes is a relay to the reference server at target that lets cacheable results live for a minute.
//
// The reference server calls all of them stale at once (ttlMs 0), so a cache in front of it would have nothing to do,
// and the checks would say nothing about cached replies. The relay changes that number and nothing else, and delays
// nothing.
func Lifetimes(target string) (http.Handler, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("relay to the reference server: %w", err)
	}
	relay := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host // The Host header stays: the server checks it.
		},
		ModifyResponse: prolong,
		ErrorLog:       log.New(io.Discard, "", 0), // Clients that leave a stream are a part of the suite.
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// Read whole, because net/http closes a request's body when the reply begins, and a reply that is quicker than
		// the transport's last look at the body would then be cut off.
		r.Body = io.NopCloser(bytes.NewReader(body))
		relay.ServeHTTP(w, r)
	}), nil
}

func prolong(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return nil // No result is in there, and often no body at all.
	}
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	resp.Body = &lifetimes{lines: bufio.NewReader(resp.Body), body: resp.Body}
	return nil
}

// lifetimes rewrites a body line by line: SSE frames and JSON replies both have the whole result on one line.
type lifetimes struct {
	lines *bufio.Reader
	body  io.Closer
	rest  []byte // What Read has still to hand out of the current line.
}

// Read implements io.Reader and returns bytes of one line only.
func (l *lifetimes) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		line, err := l.lines.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		l.rest = bytes.Replace(line, []byte(`"ttlMs":0`), []byte(`"ttlMs":60000`), 1)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (l *lifetimes) Close() error { return l.body.Close() }
