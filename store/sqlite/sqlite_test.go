package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"sark/store/sqlite"
	"sark/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o sqlite.Options) *sqlite.DB {
	t.Helper()
	o.Log = zap.NewNop()
	d, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db")})
	})
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50% new?", "data")
	d := open(t, sqlite.Options{Path: filepath.Join(dir, "sark.db")})
	if err := d.AppendEvents(t.Context(), storetest.Event(0).ID, 0, 1, nil); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("files %v, error %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sark.db")
	d := open(t, sqlite.Options{Path: path})
	writer := storetest.Event(0).ID
	if err := d.AppendEvents(t.Context(), writer, 0, 3, storetest.Sealed(writer, 3)); err != nil {
		t.Fatal(err)
	}
	if err := d.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, sqlite.Options{Path: path})
	if offset, err := d.Offset(t.Context(), writer); err != nil || offset != 3 {
		t.Errorf("offset %d, error %v", offset, err)
	}
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	d := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db"), Metrics: r})
	if _, err := d.APIKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(r, "sark_store_query_duration_seconds"); err != nil || n != 1 {
		t.Errorf("%d series, error %v", n, err)
	}
}
