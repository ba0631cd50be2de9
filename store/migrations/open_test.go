package migrations_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/store/migrations"
)

// TestSteps compares the steps that are known with those that a fresh database lacks.
func TestSteps(t *testing.T) {
	db, err := migrations.Open(migrations.SQLite, filepath.Join(t.TempDir(), "sark.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	want, err := migrations.Status(t.Context(), db, migrations.SQLite)
	if err != nil {
		t.Fatal(err)
	}

	for _, dialect := range []migrations.Dialect{migrations.SQLite, migrations.Postgres} {
		got, err := migrations.Steps(dialect)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("steps of %s: %v (-status +steps):\n%s", dialect, err, diff)
		}
	}
}

// TestOpenRelative opens a file in a folder below the working directory, as data_dir may name it.
func TestOpenRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := migrations.Open(migrations.SQLite, filepath.Join("data", "sark.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})

	if _, err := migrations.Up(t.Context(), db, migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("data", "sark.db")); err != nil {
		t.Errorf("the database is somewhere else: %v", err)
	}
}
