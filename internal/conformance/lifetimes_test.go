package conformance_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/conformance"
)

func relay(t *testing.T, upstream http.HandlerFunc) string {
	t.Helper()
	target := httptest.NewServer(upstream)
	t.Cleanup(target.Close)
	h, err := conformance.Lifetimes(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	return front.URL
}

func TestLifetimesPassesFramesOneByOne(t *testing.T) {
	next := make(chan struct{})
	url := relay(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, frame := range []string{"data: {\"ttlMs\":0,\"n\":1}\n\n", "data: {\"ttlMs\":5,\"n\":2}\n\n"} {
			_, _ = io.WriteString(w, frame)
			w.(http.Flusher).Flush()
			<-next
		}
	})
	resp, err := http.Get(url + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()

	var got []string
	lines := bufio.NewReader(resp.Body)
	for range 2 { // The upstream sends the second frame only after we have the first.
		data, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		got = append(got, data)
		next <- struct{}{}
	}
	want := []string{"data: {\"ttlMs\":60000,\"n\":1}\n", "data: {\"ttlMs\":5,\"n\":2}\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestLifetimesKeepsAllButTheNumber(t *testing.T) {
	url := relay(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "evil.example" {
			t.Errorf("host is %q, want the client's", r.Host)
		}
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		_, _ = io.WriteString(w, `{"result":{"ttlMs":0,"tools":[]}}`)
	})
	for _, c := range []struct {
		method, body string
		status       int
		length       int64
	}{
		{http.MethodGet, `{"result":{"ttlMs":60000,"tools":[]}}`, http.StatusOK, -1},
		{http.MethodPost, "", http.StatusAccepted, 0},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, url+"/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "evil.example"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != c.body || resp.StatusCode != c.status || resp.ContentLength != c.length {
			t.Errorf("%s: %d, length %d, %q, %v; want %d, length %d, %q",
				c.method, resp.StatusCode, resp.ContentLength, body, err, c.status, c.length, c.body)
		}
	}
}
