package indexes_test

import (
	"context"
	"database/sql"
	"testing"

	"sark/internal/testkit"
	"sark/store/indexes"
	"sark/store/migrations"
)

func TestMain(m *testing.M) {
	testkit.MainWithPostgres(m)
}

// migrated is a database with our schema.
func migrated(t *testing.T, dialect migrations.Dialect, address string) *sql.DB {
	t.Helper()
	db, err := migrations.Open(dialect, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t *testing.T, url string) *indexes.Postgres {
	t.Helper()
	p, err := indexes.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// indexer is what the tests use of both databases.
type indexer interface {
	Plan(ctx context.Context) ([]indexes.Step, error)
	Run(ctx context.Context, s indexes.Step, telling func(string)) error
}

// apply does what is to do and returns the statements.
func apply(t *testing.T, p indexer) []string {
	t.Helper()
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	for _, s := range steps {
		if err := p.Run(t.Context(), s, func(statement string) { ran = append(ran, statement) }); err != nil {
			t.Fatal(err)
		}
	}
	return ran
}

// states counts the indexes in each state, by the shape of their tables.
func states(t *testing.T, p indexer) map[string]int {
	t.Helper()
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, s := range steps {
		counts[string(s.Shape)+" "+string(s.State)]++
	}
	return counts
}
