package testkit

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// The environment through which the tests of a process find their PostgreSQL.
const (
	postgresURL = "SARK_TEST_POSTGRES_URL" // a server; set by the caller, or by StartPostgres
	postgresDir = "SARK_TEST_POSTGRES_DIR" // the folder of the server that StartPostgres started
)

// Postgres makes an empty database, dropped at the test's end, and returns its
// URL. The server is the one that SARK_TEST_POSTGRES_URL names, whose user must
// be allowed to make databases, else the one of StartPostgres. Without either
// the test is skipped, and in CI it fails.
//
// The test binary must link the database/sql driver "pgx"; whatever imports the
// store does.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(postgresURL)
	if server == "" {
		without(t, "no PostgreSQL: set "+postgresURL+", or install it: .ci/install-missing postgresql")
	}
	return database(t, server)
}

// database makes an empty database on a server and drops it at the test's end.
func database(t testing.TB, server string) string {
	t.Helper()
	name := "sark_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(t, server, `CREATE DATABASE `+name+` ENCODING 'UTF8' TEMPLATE template0`)
	t.Cleanup(func() { execute(t, server, `DROP DATABASE `+name+` WITH (FORCE)`) })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("URL of the test server: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// RestartPostgres restarts the server that StartPostgres started: mode "fast"
// ends its sessions in order, "immediate" kills it. It returns when the server
// answers again. Without a server of our own it skips like Postgres.
func RestartPostgres(t testing.TB, mode string) {
	t.Helper()
	s := ownServer(t)
	if err := s.control("restart", "-m", mode); err != nil {
		t.Fatalf("restart PostgreSQL: %v", err)
	}
}

// StopPostgres stops that server until the function it returns is called, which
// must happen before the test's end.
func StopPostgres(t testing.TB) (start func()) {
	t.Helper()
	s := ownServer(t)
	if err := s.control("stop", "-m", "fast"); err != nil {
		t.Fatalf("stop PostgreSQL: %v", err)
	}
	return func() {
		t.Helper()
		if err := s.control("start"); err != nil {
			t.Fatalf("start PostgreSQL: %v", err)
		}
	}
}

func ownServer(t testing.TB) *postgresServer {
	t.Helper()
	dir := os.Getenv(postgresDir)
	switch {
	case dir != "":
	case os.Getenv(postgresURL) != "":
		t.Skip("the server of " + postgresURL + " is not ours to restart")
	default:
		without(t, "no PostgreSQL of our own that could be restarted; install it: .ci/install-missing postgresql")
	}
	s, err := newPostgresServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// without skips a test, but never in CI: there, what is missing is a fault.
func without(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func execute(t testing.TB, server, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("open PostgreSQL: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("close PostgreSQL: %v", err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// StartPostgres starts a private PostgreSQL server for the tests of this
// process, for use in TestMain, and returns what ends it; it ends with the
// process in any case. It does nothing when SARK_TEST_POSTGRES_URL names a server
// or PostgreSQL is not installed: Postgres then says so.
func StartPostgres() (stop func() error, err error) {
	nothing := func() error { return nil }
	if os.Getenv(postgresURL) != "" {
		return nothing, nil
	}
	if _, err := postgresTools(); err != nil {
		return nothing, nil //nolint:nilerr // Postgres skips or fails each test that needs it
	}
	s, end, err := launchPostgres()
	if err != nil {
		return nothing, fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	for name, value := range map[string]string{postgresURL: s.url(), postgresDir: s.dir} {
		if err := os.Setenv(name, value); err != nil {
			return end, err
		}
	}
	return end, nil
}
