package cli_test

import (
	"io"
	"net/http"
	"path/filepath"
	"testing"
)

// TestDrain: a gateway that was told to drain is unready, ends each connection, and goes on serving.
func TestDrain(t *testing.T) {
	dir := dataDir(t)
	socket := "unix:" + filepath.Join(dir, "debug.sock")
	config := writeFile(t, "sark.yaml", "data_dir: "+dir+"\ndebug: {listen: '"+socket+"'}\n")

	compare(t, result{1, "", "sark: debug.listen is off, so the gateway cannot be told to drain: set it to " + socket +
		", and start the gateway anew\n"}, run(t, "drain", "--data-dir", dir))
	compare(t, result{1, "", "sark: drain the gateway at " + socket + " (debug.listen): dial unix " + filepath.Join(dir, "debug.sock") +
		": connect: no such file or directory\n"}, run(t, "drain", "--config", config))

	g := startGateway(t, dir, "--config", config)
	if code, closes := g.ready(t); code != http.StatusOK || closes {
		t.Fatalf("before: %d, ends the connection: %t", code, closes)
	}
	for range 2 { // a second time changes nothing
		compare(t, result{0, "draining\n", ""}, run(t, "drain", "--config", config))
	}
	for range 2 {
		if code, closes := g.ready(t); code != http.StatusServiceUnavailable || !closes {
			t.Errorf("after: %d, ends the connection: %t", code, closes)
		}
	}
	if code := g.end(t); code != 0 {
		t.Errorf("the gateway ends with %d", code)
	}
}

// ready asks for the readiness, and tells whether the reply ends its connection.
func (g *gateway) ready(t *testing.T) (code int, closes bool) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.api+"/health/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close() //nolint:errcheck // only read from
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, reply.Close
}
