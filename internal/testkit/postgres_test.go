package testkit_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"testing"

	_ "sark/store/migrations" // links the driver "pgx"

	"sark/internal/testkit"
)

// TestPostgres starts a server of its own, also where the environment names one.
func TestPostgres(t *testing.T) {
	t.Setenv("SARK_TEST_POSTGRES_URL", "")
	t.Setenv("SARK_TEST_POSTGRES_DIR", "")
	stop, err := testkit.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("databases", func(t *testing.T) {
		first, second := testkit.Postgres(t), testkit.Postgres(t)
		if first == second {
			t.Errorf("both databases are %s", first)
		}
		answers(t, first)
		testkit.RestartPostgres(t, "immediate")
		answers(t, first)
		start := testkit.StopPostgres(t)
		start()
		answers(t, second)
	})
	dir := os.Getenv("SARK_TEST_POSTGRES_DIR")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); dir != "" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the server's folder %s is left: %v", dir, err)
	}
}

func answers(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	var encoding string
	if err := db.QueryRowContext(t.Context(), `SELECT current_setting('server_encoding')`).Scan(&encoding); err != nil || encoding != "UTF8" {
		t.Errorf("encoding %q, error %v", encoding, err)
	}
}
