package storetest

import (
	"database/sql"
	"fmt"
	"testing"
	"time"
)

// Plain makes audit_events of a PostgreSQL database an ordinary table: empty, with its key and without further indexes. The
// test binary must link the driver "pgx".
func Plain(t testing.TB, url string) {
	t.Helper()
	reshape(t, url, "", 0)
}

// Partitioned makes audit_events of a PostgreSQL database a natively partitioned table: empty, with its key and without
// further indexes, one partition for each of a number of days from Epoch on, and one for what is in none of them, under the
// names that they have in use. The test binary must link the driver "pgx".
func Partitioned(t testing.TB, url string, days int) {
	t.Helper()
	reshape(t, url, ` PARTITION BY RANGE ("timestamp")`, days)
}

func reshape(t testing.TB, url, by string, days int) {
	t.Helper()
	statements := []string{
		`CREATE TABLE reshaped (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (id, "timestamp"))` + by,
		`DROP TABLE audit_events CASCADE`,
		`ALTER TABLE reshaped RENAME TO audit_events`,
	}
	first := Epoch.Truncate(24 * time.Hour)
	for i := range days {
		day := first.AddDate(0, 0, i)
		statements = append(statements, fmt.Sprintf(`CREATE TABLE audit_events_p%s PARTITION OF audit_events FOR VALUES FROM ('%s') TO ('%s')`,
			day.Format("20060102"), day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339)))
	}
	if by != "" {
		statements = append(statements, `CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT`)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the statements say whether it worked
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
