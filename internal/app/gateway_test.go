package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/sqlite"
)

// dataDir returns a directory whose path is short enough for a unix socket in it.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fixture is the configuration of most tests: free ports, and one server before an upstream.
const fixture = `data_dir: %s
proxy:
  listen: 127.0.0.1:0
  servers:
    - name: desk
      url: %s
      sensitivity_level: low
      tools:
        - {name: echo, read_only: true}
        - {name: note}
        - {name: wipe, sensitivity_level: critical}
        - {name: delete_customer, sensitivity_level: critical}
api: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
log: {level: error}
`

// configure writes a configuration file for a data directory and an MCP endpoint, with further lines of YAML at its end.
func configure(t *testing.T, dir, endpoint string, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sark.yaml")
	text := fmt.Sprintf(fixture, dir, endpoint) + strings.Join(more, "\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t *testing.T, file string, environ ...string) *configs.Loaded {
	t.Helper()
	loaded, err := configs.Load(configs.Options{File: file, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// gateway is app.Run in this process.
type gateway struct {
	app.Addresses
	cancel context.CancelFunc
	ended  chan error // buffered: what Run returned
	logs   *observer.ObservedLogs
}

// start runs a gateway until the test ends or stop is called. The environment overrides the file.
func start(t *testing.T, file string, environ ...string) *gateway {
	t.Helper()
	return run(t, app.Options{Config: load(t, file, environ...)})
}

// startWatching is start for a gateway that watches its file, as the command line does.
func startWatching(t *testing.T, file string) *gateway {
	t.Helper()
	var files configs.Files
	read := func() (*configs.Loaded, error) { return configs.Load(configs.Options{File: file, Files: &files}) }
	loaded, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, app.Options{Config: loaded, Load: read, Files: &files})
}

func run(t *testing.T, o app.Options) *gateway {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	g := runLogging(t, o, core)
	g.logs = logs
	return g
}

// runLogging is run with a log of the caller's.
func runLogging(t *testing.T, o app.Options, core zapcore.Core) *gateway {
	t.Helper()
	began := time.Now()
	ready := make(chan app.Addresses, 1)
	ctx, cancel := context.WithCancel(context.Background())
	g := &gateway{cancel: cancel, ended: make(chan error, 1)}
	o.Version, o.Log, o.Level, o.Ready = "1.2.3", zap.New(core), zap.NewAtomicLevel(), func(a app.Addresses) { ready <- a }
	go func() { g.ended <- app.Run(ctx, o) }()
	t.Cleanup(func() { g.stop(t) })
	select {
	case g.Addresses = <-ready:
	case err := <-g.ended:
		g.ended = nil
		t.Fatalf("the gateway does not start: %v", err)
	case <-time.After(testkit.Patience):
		t.Fatal("the gateway does not start")
	}
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	return g
}

// stop ends the gateway as SIGTERM does. It does nothing the second time.
func (g *gateway) stop(t *testing.T) {
	t.Helper()
	g.cancel()
	if g.ended == nil {
		return
	}
	if err := testkit.Wait(t, 0, g.ended); err != nil {
		t.Errorf("the gateway ended with: %v", err)
	}
	g.ended = nil
}

// openStore opens the database of a data directory beside the gateway, as the command line tools do.
func openStore(t *testing.T, dir string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: app.DatabasePath(dir), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newKey makes an API key in the store, as `sark apikey create` does. Its subject is ROLE@example.com.
func newKey(t *testing.T, dir, role string) string {
	t.Helper()
	key, hash, err := authn.NewAPIKey(role)
	if err != nil {
		t.Fatal(err)
	}
	err = openStore(t, dir).CreateAPIKey(t.Context(), store.APIKey{
		ID: role, Hash: hash, Subject: role + "@example.com", Roles: []string{role},
	})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// stored returns the events in the database of a data directory, oldest first.
func stored(t *testing.T, dir string) []audit.Event {
	t.Helper()
	db := openStore(t, dir)
	var all []audit.Event
	for filter := (store.EventFilter{Limit: 200}); ; {
		page, err := db.Events(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if filter.Cursor = page.NextCursor; !page.HasMore {
			break
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// byExchange counts events by exchange.
func byExchange(events []audit.Event) map[uuid.UUID]int {
	counts := map[uuid.UUID]int{}
	for _, e := range events {
		counts[e.ExchangeID]++
	}
	return counts
}
