package app_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"sark/internal/app"
	"sark/internal/testkit"
)

// refuse runs a gateway that must not come up, and returns why it does not.
func refuse(t *testing.T, file string, environ ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	err := app.Run(ctx, app.Options{
		Config: load(t, file, environ...), Log: zap.NewNop(), Level: zap.NewAtomicLevel(),
		Ready: func(a app.Addresses) { t.Errorf("the gateway serves at %+v", a) },
	})
	if err == nil {
		t.Fatal("the gateway does not say why it does not serve")
	}
	return err
}

// TestTakenPort takes one port after the other. The error must name the key, and nothing may be left that keeps the next
// gateway from coming up.
func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // never accepted from
	dir := dataDir(t)
	file := configure(t, dir, "http://127.0.0.1:9/mcp")
	for key, variable := range map[string]string{
		"proxy.listen": "SARK_PROXY_LISTEN", "api.listen": "SARK_API_LISTEN", "admin.listen": "SARK_ADMIN_LISTEN", "debug.listen": "SARK_DEBUG_LISTEN",
	} {
		err := refuse(t, file, variable+"="+taken.Addr().String())
		want := fmt.Sprintf("start listeners: %s: listen on %s: ", key, taken.Addr())
		if !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "address already in use") {
			t.Errorf("%s: error %q, want %q and the cause", key, err, want)
		}
		if _, err := os.Stat(filepath.Join(dir, "api.sock")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the socket is left behind (%v)", key, err)
		}
	}
	start(t, file, "SARK_DEBUG_LISTEN=127.0.0.1:0")
}

// TestSecondGateway starts a gateway on a data directory that another one uses, which must go on undisturbed.
func TestSecondGateway(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	file := configure(t, dir, upstream.URL()+"/mcp")
	first := start(t, file)

	err := refuse(t, file)

	if want := fmt.Sprintf("start audit spool: open spool: spool %s/spool is used by another process", dir); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want %q", err, want)
	}
	if r := over(first.Proxy, newKey(t, dir, "analyst")).post(t, "/mcp", toolCall("note")); r.Status != 200 {
		t.Errorf("the first gateway answers %d %s", r.Status, r.Body)
	}
	if r := overSocket(first.Socket).get(t, "/api/v1/servers/"); r.Status != 200 {
		t.Errorf("the first gateway's socket answers %d %s", r.Status, r.Body)
	}
}

func TestLongSocketPath(t *testing.T) {
	dir := filepath.Join(dataDir(t), strings.Repeat("long", 30))
	err := refuse(t, configure(t, dir, "http://127.0.0.1:9/mcp"))
	want := fmt.Sprintf("start listeners: api.socket: %s/api.sock is too long for a unix socket (%d bytes, at most ", dir, len(dir)+len("/api.sock"))
	if !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "choose a shorter data_dir, or set another path") {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestUnusableDataDir(t *testing.T) {
	file := filepath.Join(dataDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := refuse(t, configure(t, filepath.Join(file, "data"), "http://127.0.0.1:9/mcp"))
	if want := "start data directory: data_dir: mkdir " + file; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q", err, want)
	}
}

// TestWithoutServers keeps a gateway useful that has nothing to stand in front of: a registry with its API.
func TestWithoutServers(t *testing.T) {
	dir := dataDir(t)
	file := filepath.Join(t.TempDir(), "sark.yaml")
	if err := os.WriteFile(file, []byte("data_dir: "+dir+"\napi: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"off\"}\nproxy: {registry: {enabled: false}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, file)
	if g.Proxy != "" || g.Admin != "" || g.Debug != "" || g.Socket != filepath.Join(dir, "api.sock") {
		t.Errorf("it listens at %+v", g.Addresses)
	}
	if r := over(g.API, newKey(t, dir, "admin")).get(t, "/api/v1/servers/"); r.Status != 200 {
		t.Errorf("the API answers %d %s", r.Status, r.Body)
	}
}

// TestStopWaitsForCalls stops a gateway while a call is under way: the caller gets the answer, and its event is stored.
func TestStopWaitsForCalls(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	upstream.On("tools/call note", func(x *testkit.Exchange, m testkit.Message) {
		close(entered)
		<-release
		upstream.Send(x, m.Answer(`{"content":[]}`))
	})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp"))
	c := over(g.Proxy, newKey(t, dir, "analyst"))
	answered := make(chan reply, 1)
	go func() {
		r, _ := c.try(context.Background(), "POST", "/mcp", toolCall("note")) // without a reply the status is 0
		answered <- r
	}()
	testkit.Wait(t, 0, entered)

	g.cancel()
	awaitRefused(t, g.Proxy)
	close(release)

	if r := testkit.Wait(t, 0, answered); r.Status != 200 {
		t.Errorf("the call that was under way got %d %s", r.Status, r.Body)
	}
	g.stop(t)
	events := stored(t, dir)
	if len(events) != 1 || events[0].Outcome != "allowed" {
		t.Errorf("events %+v, want one, allowed", events)
	}
}

// TestStopCutsCalls stops a gateway whose upstream never answers: it ends all the same, and the call leaves its event.
func TestStopCutsCalls(t *testing.T) {
	dir := dataDir(t)
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	entered := make(chan struct{})
	upstream.On("tools/call note", func(x *testkit.Exchange, _ testkit.Message) {
		close(entered)
		x.Hold(t.Context())
	})
	g := start(t, configure(t, dir, upstream.URL()+"/mcp"), "SARK_PROXY_DRAIN_TIMEOUT=50ms")
	c := over(g.Proxy, newKey(t, dir, "analyst"))
	go func() { _, _ = c.try(t.Context(), "POST", "/mcp", toolCall("note")) }() // cut
	testkit.Wait(t, 0, entered)

	g.cancel()

	g.stop(t) // without an error: this is what proxy.drain_timeout is for
	cut := g.logs.FilterMessage("calls in progress were cut, since proxy.drain_timeout is over").All()
	if len(cut) != 1 || cut[0].ContextMap()["listener"] != "proxy.listen" {
		t.Errorf("the log says %+v", cut)
	}
	events := stored(t, dir)
	if len(events) != 1 || events[0].Outcome == "allowed" || events[0].ToolName != "note" {
		t.Errorf("events %+v, want one of the cut call", events)
	}
}

// awaitRefused returns when nobody listens at an address any more.
func awaitRefused(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close() // nothing was sent
	}
}

// TestStopAtOnce ends gateways the moment they serve, when their listeners may not have come to accept yet.
func TestStopAtOnce(t *testing.T) {
	file := configure(t, dataDir(t), "http://127.0.0.1:9/mcp")
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		ended, loaded := make(chan error, 1), load(t, file)
		go func() {
			ended <- app.Run(ctx, app.Options{
				Config: loaded, Log: zap.NewNop(), Level: zap.NewAtomicLevel(), Ready: func(app.Addresses) { cancel() },
			})
		}()
		if err := testkit.Wait(t, 0, ended); err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
		cancel()
	}
}
