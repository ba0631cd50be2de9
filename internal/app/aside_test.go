package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sark/internal/app"
	"sark/internal/testkit"
)

// TestAsideIsBounded starts a gateway that has a dead event from long ago: it is removed, and the trail says so.
func TestAsideIsBounded(t *testing.T) {
	dir := dataDir(t)
	file := filepath.Join(dir, "spool", "dead", "w-1.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	g := start(t, configure(t, dir, testkit.NewMCPUpstream(t, testkit.MCPOptions{}).URL()+"/mcp", "audit: {aside_max_age: 24h}"))

	overSocket(g.Socket).awaitEvents(t, "event_type="+app.AsideEvent, 1)

	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is still there (%v)", err)
	}
}
