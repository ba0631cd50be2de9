package admin_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/internal/admin"
)

// run serves until the test ends and fails it when serving or stopping goes wrong. It returns a client for the server.
func run(t *testing.T, s *admin.Server, err error) *http.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.Addr().Network(), s.Addr().String())
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return &http.Client{Transport: transport}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := admin.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// answer is what a test compares of a response.
type answer struct {
	Code int
	Body string
}

func do(t *testing.T, client *http.Client, request *http.Request) answer {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(body))}
}

func newRequest(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func TestAdminServesProbesAndMetrics(t *testing.T) {
	health := newHealth(t, admin.HealthOptions{Checks: []admin.Check{{
		Name: "store", Critical: true, Run: func(context.Context) error { return errDown },
	}}})
	health.MarkStarted()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sark_test", Help: "h"}, func() float64 { return 7 }))
	server, err := admin.New(admin.Options{Listener: listen(t, "127.0.0.1:0"), Health: health, Metrics: registry})
	client := run(t, server, err)

	got := map[string]answer{}
	for _, path := range []string{"/health/", "/health", "/health/live", "/health/ready", "/health/startup", "/metrics"} {
		got[path] = do(t, client, newRequest(t, "GET", path, ""))
	}
	for _, path := range []string{"/health/detailed", "/debug/pprof/", "/", "/log/level"} {
		got[path] = answer{Code: do(t, client, newRequest(t, "GET", path, "")).Code}
	}
	got["POST /metrics"] = answer{Code: do(t, client, newRequest(t, "POST", "/metrics", "")).Code}

	want := map[string]answer{
		"/health/":         {503, `{"status":"unhealthy"}`},
		"/health":          {503, `{"status":"unhealthy"}`},
		"/health/live":     {200, `{"status":"alive"}`},
		"/health/ready":    {503, `{"status":"not_ready"}`},
		"/health/startup":  {200, `{"status":"started"}`},
		"/metrics":         {200, "# HELP sark_test h\n# TYPE sark_test gauge\nsark_test 7"},
		"/health/detailed": {Code: 404},
		"/debug/pprof/":    {Code: 404},
		"/":                {Code: 404},
		"/log/level":       {Code: 404},
		"POST /metrics":    {Code: 405},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestDebugChangesLevelAndReloads(t *testing.T) {
	level := zap.NewAtomicLevel()
	reloads := []error{nil, errors.New("authz.bundle: no such directory")}
	server, err := admin.NewDebug(admin.DebugOptions{
		Listener: listen(t, "unix:"+filepath.Join(t.TempDir(), "debug.sock")), Level: level,
		Reload: func(context.Context) error { err := reloads[0]; reloads = reloads[1:]; return err },
	})
	client := run(t, server, err)

	got := []answer{
		do(t, client, newRequest(t, "GET", "/log/level", "")),
		do(t, client, newRequest(t, "PUT", "/log/level", `{"level":"debug"}`)),
		{Code: do(t, client, newRequest(t, "PUT", "/log/level", `{"level":"loud"}`)).Code},
		{Code: do(t, client, newRequest(t, "PUT", "/log/level", strings.Repeat(" ", 5000))).Code},
		do(t, client, newRequest(t, "POST", "/reload", "")),
		do(t, client, newRequest(t, "POST", "/reload", "")),
		{Code: do(t, client, newRequest(t, "GET", "/reload", "")).Code},
		{Code: do(t, client, newRequest(t, "GET", "/debug/pprof/goroutine", "")).Code},
		{Code: do(t, client, newRequest(t, "GET", "/metrics", "")).Code},
	}

	want := []answer{
		{200, `{"level":"info"}`},
		{200, `{"level":"debug"}`},
		{Code: 400},
		{Code: 400},
		{200, `{"status":"reloaded"}`},
		{422, `{"detail":"authz.bundle: no such directory"}`},
		{Code: 405},
		{Code: 200},
		{Code: 404},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if level.Level() != zap.DebugLevel {
		t.Errorf("level is %s", level)
	}
}

func TestDebugDrains(t *testing.T) {
	drains := 0
	server, err := admin.NewDebug(admin.DebugOptions{
		Listener: listen(t, "127.0.0.1:0"), Level: zap.NewAtomicLevel(), Drain: func() { drains++ },
	})
	client := run(t, server, err)
	got := []answer{
		{Code: do(t, client, newRequest(t, "GET", "/drain", "")).Code},
		do(t, client, newRequest(t, "POST", "/drain", "")),
	}
	if d := cmp.Diff([]answer{{Code: 405}, {200, `{"status":"draining"}`}}, got); d != "" || drains != 1 {
		t.Errorf("drained %d times; answers (-want +got):\n%s", drains, d)
	}

	server, err = admin.NewDebug(admin.DebugOptions{Listener: listen(t, "127.0.0.1:0"), Level: zap.NewAtomicLevel()})
	client = run(t, server, err)
	if a := do(t, client, newRequest(t, "POST", "/drain", "")); a.Code != 501 {
		t.Errorf("a process without clients answers %d %s", a.Code, a.Body)
	}
}

func TestDebugKeepsBrowsersOut(t *testing.T) {
	server, err := admin.NewDebug(admin.DebugOptions{Listener: listen(t, "127.0.0.1:0"), Level: zap.NewAtomicLevel()})
	client := run(t, server, err)
	cases := []struct {
		name   string
		method string
		path   string
		change func(*http.Request)
		want   int
	}{
		{"rebound name", "GET", "/log/level", func(r *http.Request) { r.Host = "evil.example:9902" }, 403},
		{"page of another origin", "POST", "/reload", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		{"cross-site fetch", "POST", "/reload", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"address", "GET", "/log/level", func(r *http.Request) { r.Host = "127.0.0.1:9902" }, 200},
		{"IPv6 address", "GET", "/log/level", func(r *http.Request) { r.Host = "[::1]" }, 200},
		{"curl", "POST", "/reload", func(*http.Request) {}, 501},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			request := newRequest(t, c.method, c.path, "")
			c.change(request)
			if got := do(t, client, request).Code; got != c.want {
				t.Errorf("status %d, want %d", got, c.want)
			}
		})
	}
}

func TestShutdownLetsOpenRequestsFinish(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	server, err := admin.NewDebug(admin.DebugOptions{
		Listener: listen(t, "127.0.0.1:0"), Level: zap.NewAtomicLevel(), ShutdownTimeout: time.Minute,
		Reload: func(context.Context) error { close(begun); <-release; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	answers := make(chan answer, 1)
	go func() {
		request := newRequest(t, "POST", "/reload", "")
		request.URL.Host = server.Addr().String()
		request.Close = true
		answers <- do(t, &http.Client{Transport: &http.Transport{}}, request)
	}()

	<-begun
	cancel()
	select {
	case err := <-done:
		t.Fatalf("Run returned before the request had ended: %v", err)
	default:
	}
	close(release)

	if got := <-answers; got.Code != 200 {
		t.Errorf("answer %+v", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunReportsABrokenListener(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	server, err := admin.NewDebug(admin.DebugOptions{Listener: l, Level: zap.NewAtomicLevel()})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	if err := server.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestServersRefuseMissingOptions(t *testing.T) {
	if _, err := admin.New(admin.Options{}); err == nil {
		t.Error("New: no error")
	}
	if _, err := admin.NewDebug(admin.DebugOptions{}); err == nil {
		t.Error("NewDebug: no error")
	}
}

func TestListenOnUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	first := listen(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %o", mode)
	}

	if _, err := admin.Listen(t.Context(), "unix:"+path); err == nil {
		t.Error("a socket that is in use was taken over")
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := listen(t, "unix:"+path)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(t.Context(), path); err == nil {
		t.Error("a file that is no socket was replaced")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "data" {
		t.Errorf("the file is %q, error %v", data, err)
	}
}
