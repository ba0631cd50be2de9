package aside_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"sark/store/aside"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// put writes a file of a size, written some time before now.
func put(t *testing.T, path string, size int, written time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, written, written); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	return names
}

// TestBounds removes what is too old, then the oldest until the rest fits, and says so each time. A file that is being written
// stays, and a folder that does not exist is empty.
func TestBounds(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		maxBytes int64
		maxAge   time.Duration
		left     []string
		removed  []aside.Removal
		bytes    string
	}{
		"within":       {1000, 10 * time.Hour, []string{"a", "b", "c", "d.new"}, nil, "300"},
		"unbounded":    {0, 0, []string{"a", "b", "c", "d.new"}, nil, "300"},
		"too old":      {1000, 150 * time.Minute, []string{"b", "c", "d.new"}, []aside.Removal{{"dead", 1, 100, "a", "a"}}, "200"},
		"too large":    {150, 0, []string{"c", "d.new"}, []aside.Removal{{"dead", 2, 200, "a", "b"}}, "100"},
		"both":         {100, 150 * time.Minute, []string{"c", "d.new"}, []aside.Removal{{"dead", 2, 200, "a", "b"}}, "100"},
		"no file fits": {1, 0, []string{"d.new"}, []aside.Removal{{"dead", 3, 300, "a", "c"}}, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, r := t.TempDir(), prometheus.NewRegistry()
			for i, file := range []string{"x/a", "y/b", "x/c", "x/d.new"} {
				put(t, filepath.Join(dir, file), 100, now.Add(time.Duration(i-3)*time.Hour))
			}
			var removed []aside.Removal
			b, err := aside.New(aside.Options{
				Folders: []aside.Folder{{"dead", dir}, {"quarantine", filepath.Join(dir, "missing")}}, MaxBytes: c.maxBytes, MaxAge: c.maxAge,
				Removed: func(r aside.Removal) { removed = append(removed, r) }, Log: zap.NewNop(), Metrics: r, Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}

			b.Round()

			if diff := cmp.Diff(c.left, names(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.removed, removed); diff != "" {
				t.Errorf("removals (-want +got):\n%s", diff)
			}
			want := "# HELP sark_store_aside_bytes Size of the files in a folder of what was set aside.\n# TYPE sark_store_aside_bytes gauge\n" +
				"sark_store_aside_bytes{folder=\"dead\"} " + c.bytes + "\nsark_store_aside_bytes{folder=\"quarantine\"} 0\n"
			if err := testutil.GatherAndCompare(r, strings.NewReader(want), "sark_store_aside_bytes"); err != nil {
				t.Error(err)
			}
			b.Round()
			if len(removed) != len(c.removed) {
				t.Errorf("a second round removed %v", removed)
			}
		})
	}
}
