package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sark/internal/cli"
	"sark/internal/testkit"
)

// command is a command that runs until it is stopped.
type command struct {
	cancel context.CancelFunc
	code   chan int      // buffered: the exit code
	out    <-chan string // lines, of standard output
	errs   <-chan string // lines, of standard error
}

// begin runs a command beside the test, which must read its lines or stop it.
func begin(t *testing.T, environ []string, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	outReader, outWriter := io.Pipe()
	errReader, errWriter := io.Pipe()
	c := &command{cancel: cancel, code: make(chan int, 1), out: lines(outReader), errs: lines(errReader)}
	go func() {
		code := cli.Main(ctx, args, strings.NewReader(""), outWriter, errWriter, environ)
		_ = outWriter.Close() // a pipe's Close always succeeds
		_ = errWriter.Close()
		c.code <- code
	}()
	t.Cleanup(func() { c.end(t) })
	return c
}

// lines hands over lines as they come, up to 1000 before anybody reads them.
func lines(r io.Reader) <-chan string {
	ch := make(chan string, 1000)
	go func() {
		defer close(ch)
		for s := bufio.NewScanner(r); s.Scan(); {
			ch <- s.Text()
		}
	}()
	return ch
}

// end stops the command as Ctrl-C does and returns its exit code; -1 when it was stopped before.
func (c *command) end(t *testing.T) int {
	t.Helper()
	c.cancel()
	if c.code == nil {
		return -1
	}
	code := testkit.Wait(t, testkit.Patience, c.code)
	c.code = nil
	return code
}

// gateway is sark serve in this process, with its API on a TCP port, too.
type gateway struct {
	*command
	dir string
	api string // http://host:port
}

// dataDir returns a directory whose path leaves room for a unix socket, which takes 108 bytes at most.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays behind is the system's to tidy
	return dir
}

func startGateway(t *testing.T, dir string, args ...string) *gateway {
	t.Helper()
	g := &gateway{dir: dir}
	g.command = begin(t, []string{"SARK_API_LISTEN=127.0.0.1:0", "SARK_ADMIN_LISTEN=off", "SARK_PROXY_LISTEN=127.0.0.1:0"},
		append([]string{"serve", "--data-dir", dir}, args...)...)
	for {
		line := testkit.Wait(t, testkit.Patience, g.errs)
		var entry struct{ Msg, API, Error string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the gateway logs %q: %v", line, err)
		}
		if entry.Error != "" {
			t.Fatalf("the gateway does not start: %s", entry.Error)
		}
		if entry.Msg == "serving" {
			g.api = "http://" + entry.API
			return g
		}
	}
}

// ask sends a request with an API key that is none, and returns when the gateway has refused it. The path tells its event
// from others.
func (g *gateway) ask(t *testing.T, path string) {
	t.Helper()
	g.askAs(t, path, "nobody", http.StatusUnauthorized)
}

func (g *gateway) askAs(t *testing.T, path, key string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.api+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	r.Close = true
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err := errors.Join(err, reply.Body.Close()); err != nil || reply.StatusCode != want {
		t.Fatalf("GET %s: %s %s, %v; want %d", path, reply.Status, bytes.TrimSpace(body), err, want)
	}
}

// eventPath returns the path of an event that stands on a line of JSON.
func eventPath(t *testing.T, line string) string {
	t.Helper()
	var e struct{ Path string }
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return e.Path
}

// awaitEvent reads the next line of a command's output.
func (c *command) awaitEvent(t *testing.T) string {
	t.Helper()
	return eventPath(t, testkit.Wait(t, 3*testkit.Patience, c.out))
}

// rest returns what a command that has ended wrote beside what was read.
func rest(t *testing.T, ch <-chan string) []string {
	t.Helper()
	var left []string
	deadline := time.After(testkit.Patience)
	for {
		select {
		case line, open := <-ch:
			if !open {
				return left
			}
			left = append(left, line)
		case <-deadline:
			t.Fatal("the output does not end")
		}
	}
}
