package inspect_test

import (
	"context"
	"database/sql"
	"testing"

	"sark/internal/testkit"
	"sark/store/inspect"
	"sark/store/migrations"
)

func TestMain(m *testing.M) {
	testkit.MainWithPostgres(m)
}

// server is a PostgreSQL database with our schema, to look into and to work on.
func server(t *testing.T, url string) (*inspect.Server, *sql.DB) {
	t.Helper()
	db, err := migrations.Open(migrations.Postgres, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := migrations.Up(t.Context(), db, migrations.Postgres); err != nil {
		t.Fatal(err)
	}
	s, err := inspect.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
