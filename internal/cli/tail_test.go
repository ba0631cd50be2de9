package cli_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestTailFollows watches a gateway through its restart.
func TestTailFollows(t *testing.T) {
	dir := dataDir(t)
	first := startGateway(t, dir)
	first.ask(t, "/api/v1/servers/1")
	tail := begin(t, nil, "audit", "tail", "--data-dir", dir, "--output", "json", "--interval", "20ms")
	got := []string{tail.awaitEvent(t)}
	for _, path := range []string{"/api/v1/servers/2", "/api/v1/servers/3"} {
		first.ask(t, path)
		got = append(got, tail.awaitEvent(t))
	}

	first.ask(t, "/api/v1/servers/4") // may be stored when nobody can ask for it any more
	if code := first.end(t); code != 0 {
		t.Fatalf("the gateway ended with %d: %v", code, rest(t, first.errs))
	}
	messages := []string{testkit.Wait(t, testkit.Patience, tail.errs)}
	second := startGateway(t, dir)
	messages = append(messages, testkit.Wait(t, testkit.Patience, tail.errs))
	got = append(got, tail.awaitEvent(t))
	second.ask(t, "/api/v1/servers/5")
	got = append(got, tail.awaitEvent(t))

	code := tail.end(t)
	got = append(got, rest(t, tail.out)...)
	want := []string{
		"/api/v1/servers/1", "/api/v1/servers/2", "/api/v1/servers/3", "/api/v1/servers/4", "/api/v1/servers/5",
	}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 {
		t.Errorf("exit code %d, events (-want +got):\n%s", code, diff)
	}
	socket := "unix:" + filepath.Join(dir, "api.sock")
	if !strings.HasPrefix(messages[0], "sark: the gateway at "+socket+" does not answer (") ||
		messages[1] != "sark: the gateway answers again" || len(rest(t, tail.errs)) != 0 {
		t.Errorf("messages = %q", messages)
	}
}

// TestTailOnce shows the latest events and ends, on each way to the API.
func TestTailOnce(t *testing.T) {
	dir := dataDir(t)
	g := startGateway(t, dir)
	admin := strings.TrimSpace(run(t, "apikey", "create", "--id", "boss", "--role", "admin", "--data-dir", dir).Out)
	viewer := strings.TrimSpace(run(t, "apikey", "create", "--id", "eve", "--role", "viewer", "--data-dir", dir).Out)
	follow := begin(t, nil, "audit", "tail", "--data-dir", dir, "--output", "json", "--interval", "20ms")
	for _, path := range []string{"/api/v1/servers/a", "/api/v1/servers/b", "/api/v1/servers/c"} {
		g.ask(t, path)
		follow.awaitEvent(t)
	}
	g.askAs(t, "/api/v1/audit/events", viewer, http.StatusForbidden)
	follow.awaitEvent(t)
	if code := follow.end(t); code != 0 {
		t.Fatalf("tail ended with %d", code)
	}
	adminKey, viewerKey := writeFile(t, "admin.txt", admin+"\n"), writeFile(t, "viewer.txt", viewer)
	latest := []string{"/api/v1/servers/b", "/api/v1/servers/c", "/api/v1/audit/events"}
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string
		err  string
	}{
		{name: "local socket", args: []string{"--data-dir", dir}, want: latest},
		{name: "named socket", args: []string{"--api", "unix:" + filepath.Join(dir, "api.sock")}, want: latest},
		{name: "TCP and a key", args: []string{"--api", g.api, "--token-file", adminKey}, want: latest},
		{
			name: "TCP without a key", args: []string{"--api", g.api}, code: 1,
			err: "sark: " + g.api + " refuses: 401 a valid credential is required; name a key that may audit:read with --token-file\n",
		},
		{
			name: "TCP and a poor key", args: []string{"--api", g.api, "--token-file", viewerKey}, code: 1,
			err: "sark: " + g.api + " refuses: 403 your roles do not allow audit:read; name a key that may audit:read with --token-file\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := run(t, append([]string{"audit", "tail", "--follow=false", "--lines", "3", "--output", "json"}, test.args...)...)

			var got []string
			for line := range strings.Lines(r.Out) {
				got = append(got, eventPath(t, line))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			compare(t, result{Code: test.code, Err: test.err}, result{Code: r.Code, Err: r.Err})
		})
	}
}

// TestTailTable shows people what they need at a terminal.
func TestTailTable(t *testing.T) {
	dir := dataDir(t)
	g := startGateway(t, dir)
	tail := begin(t, nil, "audit", "tail", "--data-dir", dir, "--interval", "20ms")
	header := testkit.Wait(t, testkit.Patience, tail.out)
	g.ask(t, "/api/v1/servers")
	row := testkit.Wait(t, 3*testkit.Patience, tail.out)

	if diff := cmp.Diff([]string{"TIME", "DECISION", "USER", "ACTION", "SERVER/TOOL", "REASON"}, strings.Fields(header)); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	cells := strings.Fields(row)
	if at, err := time.Parse(time.RFC3339, cells[0]); err != nil || time.Since(at) > time.Minute {
		t.Errorf("time = %s, %v", cells[0], err)
	}
	want := []string{"denied", "-", "server:read", "-", "a valid credential is required"}
	if diff := cmp.Diff(strings.Fields(strings.Join(want, " ")), cells[1:]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// TestServeRefusals tells why a gateway cannot serve, once, in its log.
func TestServeRefusals(t *testing.T) {
	dir := dataDir(t)
	startGateway(t, dir)

	r := runWith(t, []string{"SARK_API_LISTEN=off", "SARK_ADMIN_LISTEN=off"}, "", "serve", "--data-dir", dir)

	if r.Code != 1 || r.Out != "" || strings.Count(r.Err, `"level":"error"`) != 1 || strings.Contains(r.Err, "\nsark: ") {
		t.Errorf("a second gateway on the same data directory: %+v", r)
	}
}
