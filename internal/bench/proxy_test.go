package bench_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sark/internal/bench"
)

// startProxy runs the bare proxy on real TCP in front of upstream until the test ends.
func startProxy(t *testing.T, upstream http.HandlerFunc) string {
	t.Helper()
	target := httptest.NewServer(upstream)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := bench.Proxy(strings.TrimPrefix(target.URL, "http://"))
	server.CloseOnShutdown = true
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		target.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// The yardstick would be worth nothing if it held replies back: the upstream here goes on only after the client has
// seen the headers, and then each line.
func TestProxyPassesABodyOnWhileItIsWritten(t *testing.T) {
	seen := make(chan struct{})
	url := startProxy(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-seen
		for _, line := range []string{"data: 1\n", "data: 2\n"} {
			_, _ = io.WriteString(w, line)
			w.(http.Flusher).Flush()
			<-seen
		}
	})
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	seen <- struct{}{}
	body := bufio.NewReader(resp.Body)
	for _, want := range []string{"data: 1\n", "data: 2\n"} {
		got, err := body.ReadString('\n')
		if err != nil || got != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
		seen <- struct{}{}
	}
	if rest, err := io.ReadAll(body); err != nil || len(rest) > 0 {
		t.Errorf("the body went on with %q, %v", rest, err)
	}
}

func TestProxyAnswers502WithoutAnUpstream(t *testing.T) {
	url := startProxy(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	resp, err := http.Post(url, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", resp.StatusCode)
	}
}
