package conformance_test

import (
	"encoding/json"
	"os"
	"testing"
)

// The lockfile pins contents by hash and says nothing about where they come from, so that every registry mirror will do.
func TestLockfilePinsContentsAndNoRegistry(t *testing.T) {
	text, err := os.ReadFile("suite/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	if got := lock.Packages["node_modules/@modelcontextprotocol/conformance"].Version; got != "0.2.0-alpha.12" {
		t.Errorf("the suite is pinned to %q", got)
	}
	for name, p := range lock.Packages {
		if name != "" && (p.Integrity == "" || p.Resolved != "") {
			t.Errorf("%s: integrity %q, resolved %q; want a hash and no address", name, p.Integrity, p.Resolved)
		}
	}
}
