package authz_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sark/authz"
	"sark/internal/testkit"
)

// pollServer serves bundles with ETags, answers 304 to whoever has the latest, and holds back that answer from clients that
// want to wait (RFC 7240 section 4.3) until there is a newer bundle or its answer is released.
type pollServer struct {
	waiting chan string   // capacity 100: the preferences of each client that waits
	release chan struct{} // capacity 1: lets one waiting client have its 304

	mu      sync.Mutex
	body    []byte
	etag    string
	newer   chan struct{} // closed when body is replaced
	answers map[int]int   // by status
}

func newPollServer() *pollServer {
	return &pollServer{
		waiting: make(chan string, 100), release: make(chan struct{}, 1), newer: make(chan struct{}), answers: map[int]int{},
	}
}

// serve replaces the bundle.
func (s *pollServer) serve(body []byte, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.newer)
	s.body, s.etag, s.newer = body, etag, make(chan struct{})
}

// latest returns the bundle, its ETag, and what is closed when there is another.
func (s *pollServer) latest() ([]byte, string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body, s.etag, s.newer
}

// count notes an answer, and answered returns how often a status was.
func (s *pollServer) count(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[status]++
}

func (s *pollServer) answered(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[status]
}

// ServeHTTP implements http.Handler.
func (s *pollServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, etag, newer := s.latest()
	if prefer := r.Header.Get("Prefer"); strings.Contains(prefer, "wait=") && r.Header.Get("If-None-Match") == etag {
		s.waiting <- prefer
		select {
		case <-newer:
			body, etag, _ = s.latest()
		case <-s.release:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		s.count(http.StatusNotModified)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.count(http.StatusOK)
	_, _ = w.Write(body)
}

// TestBundleETag: a bundle that has not changed is not sent again, and comes into force no second time.
func TestBundleETag(t *testing.T) {
	polls := newPollServer()
	server := httptest.NewServer(polls)
	t.Cleanup(server.Close)
	installed := make(chan string, 10)
	e := open(t, authz.Options{Log: logTo(t, installed), OPA: map[string]any{
		"services": map[string]any{"bundles": map[string]any{"url": server.URL}},
		"bundles":  map[string]any{"sark": map[string]any{"service": "bundles", "resource": "b.tar.gz", "trigger": "manual"}},
	}})
	for n := 1; n <= 2; n++ {
		polls.serve(packBundle(t, n), `"`+strconv.Itoa(n)+`"`)
		for range 3 {
			if err := e.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if e.Revision() != strconv.Itoa(n) || polls.answered(http.StatusOK) != n || polls.answered(http.StatusNotModified) != 2*n {
			t.Errorf("revision %q after %d answers with and %d without a bundle", e.Revision(),
				polls.answered(http.StatusOK), polls.answered(http.StatusNotModified))
		}
	}
	if len(installed) != 2 {
		t.Errorf("%d policies came into force, want 2", len(installed))
	}
}

// TestLongPolling: an engine that may wait for its bundle asks the server to hold the answer back, and has a new bundle when
// the server gives it.
func TestLongPolling(t *testing.T) {
	polls := newPollServer()
	polls.serve(packBundle(t, 1), `"1"`)
	server := httptest.NewServer(polls)
	t.Cleanup(server.Close)
	installed := make(chan string, 10)
	open(t, authz.Options{Log: logTo(t, installed), OPA: map[string]any{
		"services": map[string]any{"bundles": map[string]any{"url": server.URL}},
		"bundles": map[string]any{"sark": map[string]any{
			"service": "bundles", "resource": "b.tar.gz", "polling": map[string]any{"long_polling_timeout_seconds": 600},
		}},
	}})
	wait := func() {
		t.Helper()
		if prefer := testkit.Wait(t, testkit.Patience, polls.waiting); !strings.Contains(prefer, "wait=600") {
			t.Errorf("the client prefers %q", prefer)
		}
	}
	if revision := testkit.Wait(t, testkit.Patience, installed); revision != "1" {
		t.Errorf("revision %q came first", revision)
	}
	wait()
	polls.release <- struct{}{}
	wait() // after a 304 the client waits again, at once
	polls.serve(packBundle(t, 2), `"2"`)
	if revision := testkit.Wait(t, testkit.Patience, installed); revision != "2" {
		t.Errorf("revision %q came next", revision)
	}
	wait()
	if ok, same := polls.answered(http.StatusOK), polls.answered(http.StatusNotModified); ok != 2 || same != 1 {
		t.Errorf("%d answers with a bundle and %d without, want 2 and 1", ok, same)
	}
}
