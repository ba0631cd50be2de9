package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
)

// TestTailFilters shows only what was asked for, among the first events and among those that come.
func TestTailFilters(t *testing.T) {
	dir := dataDir(t)
	g := startGateway(t, dir)
	trail, now := openTrail(t, dir), time.Now()
	trail.add(t,
		invoked(now.Add(-time.Hour), "old", "watch", "deny", ""), invoked(now.Add(-time.Minute), "ana", "watch", "deny", ""),
		invoked(now.Add(-time.Minute), "ben", "watch", "allow", ""),
	)
	tail := begin(t, nil, "audit", "tail", "--data-dir", dir, "--output", "json", "--interval", "20ms",
		"--user", "ana", "--severity", "low,high", "--tool", "watch", "--since", "30m")
	got := []string{testkit.Wait(t, testkit.Patience, tail.out)}
	trail.add(t, invoked(time.Now(), "ben", "watch", "deny", ""), invoked(time.Now(), "ana", "run_report", "deny", ""))
	trail.add(t, invoked(time.Now(), "ana", "watch", "allow", ""))
	got = append(got, testkit.Wait(t, 3*testkit.Patience, tail.out))
	code := tail.end(t)
	got = append(got, rest(t, tail.out)...)

	compare(t, result{Code: 0, Out: "ana ana"}, named(t, result{Code: code, Out: strings.Join(got, "\n")}))
	once := run(t, "audit", "tail", "--data-dir", dir, "--follow=false", "--output", "json", "--decision", "deny", "--until", "30m")
	compare(t, result{Out: "old"}, named(t, once))
	own := begin(t, nil, "audit", "tail", "--data-dir", dir, "--output", "json", "--interval", "20ms", "--action", "audit:read")
	if path := own.awaitEvent(t); path != "/api/v1/audit/events" {
		t.Errorf("reading of the trail that was asked for: %s", path)
	}
	own.end(t)
	if code := g.end(t); code != 0 {
		t.Errorf("the gateway ended with %d", code)
	}
}

// TestTailBehind says when the trail is behind and when it has caught up, as a gateway's pages tell it.
func TestTailBehind(t *testing.T) {
	lags := []string{"0.2", "12.4", "13.4", "0", "0.1"}
	asked := 0
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[],"next_cursor":null,"has_more":false,"lag_seconds":`+lags[min(asked, len(lags)-1)]+`}`)
		asked++ // the command asks one thing at a time
	}))
	t.Cleanup(gateway.Close)
	tail := begin(t, nil, "audit", "tail", "--api", gateway.URL, "--output", "json", "--interval", "1ms")

	got := []string{testkit.Wait(t, testkit.Patience, tail.errs), testkit.Wait(t, testkit.Patience, tail.errs)}
	code := tail.end(t)
	got = append(got, rest(t, tail.errs)...)

	want := []string{
		"note: the trail is 12s behind the gateway; newer events come when the database has them",
		"note: the trail has caught up with the gateway",
	}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 {
		t.Errorf("exit code %d, notes (-want +got):\n%s", code, diff)
	}
}
