package siem_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// receiver is an HTTP server that takes what the tests let it take.
type receiver struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request, body []byte) bool // false: it has answered already, and takes nothing

	mu       sync.Mutex
	more     sync.Cond // events was added to
	requests int
	events   []int64 // the numbers of those that it has taken
	bodies   [][]byte
	header   http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.more.L = &r.mu
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.header = req.Header
	if r.answer != nil && !r.answer(w, req, text) {
		return
	}
	r.events = append(r.events, sequences(text)...)
	r.bodies = append(r.bodies, text)
	r.more.Broadcast()
}

// taken are the numbers of the events that it has, in their order of arrival.
func (r *receiver) taken() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int64(nil), r.events...)
}

// await returns when it has n events.
func (r *receiver) await(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.events) < n {
		r.more.Wait()
	}
}

func (r *receiver) set(answer func(http.ResponseWriter, *http.Request, []byte) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// sequences finds the numbers of events in JSON objects that follow one another, however they are wrapped.
func sequences(body []byte) (list []int64) {
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		var v any
		if d.Decode(&v) != nil {
			return list
		}
		list = append(list, find(v)...)
	}
}

func find(v any) (list []int64) {
	switch v := v.(type) {
	case map[string]any:
		if seq, ok := v["seq"].(float64); ok {
			return []int64{int64(seq)}
		}
		for _, kid := range v {
			list = append(list, find(kid)...)
		}
	case []any:
		for _, kid := range v {
			list = append(list, find(kid)...)
		}
	case string: // a body of OTLP
		if strings.HasPrefix(v, "{") {
			return sequences([]byte(v))
		}
	}
	return list
}

// readFrames reads messages of syslog with octet counting until the connection ends, and gives each to take.
func readFrames(conn io.Reader, take func(message []byte)) {
	in := bufio.NewReader(conn)
	for {
		size, err := in.ReadString(' ')
		if err != nil {
			return
		}
		var n int
		for _, c := range strings.TrimSuffix(size, " ") {
			n = n*10 + int(c-'0')
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		take(message)
	}
}
