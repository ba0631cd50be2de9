package cli_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestDBConnections(t *testing.T) {
	_, environ := server(t)

	r := runWith(t, environ, "", "db", "connections")
	if r.Code != 0 || !regexp.MustCompile(`(?m)^\d+ of \d+ connections of the server are open$`).MatchString(r.Err) ||
		!regexp.MustCompile(`^TOTAL  ACTIVE  IDLE  IDLE IN TRANSACTION  OTHER  APPLICATION\n1 +0 +1 +0 +0 +-\n$`).MatchString(r.Out) {
		t.Errorf("%+v", r)
	}
	r = runWith(t, environ, "", "db", "connections", "--output", "json")
	if r.Code != 0 || !strings.HasPrefix(r.Out, `{"application":"","total":1,"active":0,"idle":1,"idle_in_transaction":0,"other":0}`) {
		t.Errorf("%+v", r)
	}
}

func TestDBSlowSaysHowToEnableIt(t *testing.T) {
	_, environ := server(t)
	r := runWith(t, environ, "", "db", "slow")
	if r.Code != 1 || r.Out != "" || !strings.Contains(r.Err, "shared_preload_libraries") || !strings.Contains(r.Err, "CREATE EXTENSION pg_stat_statements") {
		t.Errorf("%+v", r)
	}
}

func TestDBLongTx(t *testing.T) {
	db, environ := server(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was done
	if _, err := tx.ExecContext(t.Context(), "SELECT\n 1"); err != nil {
		t.Fatal(err)
	}

	r := runWith(t, environ, "", "db", "long-tx", "--over", "0s")
	if r.Code != 0 || !regexp.MustCompile(`\n\d+ +\d.*s +idle in transaction +postgres +- +Client: ClientRead +SELECT 1\n$`).MatchString(r.Out) {
		t.Errorf("%+v", r)
	}
	compare(t, result{0, "", "no transaction has been open for longer than 5m0s\n"}, runWith(t, environ, "", "db", "long-tx"))
}

func TestDBExplain(t *testing.T) {
	_, environ := server(t)

	list := run(t, "db", "explain")
	if list.Code != 0 || !regexp.MustCompile(`(?m)^server-trail +NAME of the server, or its id +the trail of a server$`).MatchString(list.Out) {
		t.Errorf("list: %+v", list)
	}
	r := runWith(t, environ, "", "db", "explain", "server-trail", "--value", "github")
	if r.Code != 0 || !strings.HasPrefix(r.Err, "server-trail github: SELECT … FROM audit_events WHERE server_name = $1") ||
		!strings.Contains(r.Out, "actual time=") {
		t.Errorf("plan: %+v", r)
	}
	r = runWith(t, environ, "", "db", "explain", "servers", "--output", "json")
	if r.Code != 0 || !strings.Contains(r.Out, `"Actual Rows":`) || strings.Count(r.Out, "\n") != 1 {
		t.Errorf("JSON: %+v", r)
	}
	compare(t, result{2, "", "sark: unknown query \"server-trial\"; did you mean server-trail? (sark db explain lists the queries)\n"},
		runWith(t, environ, "", "db", "explain", "server-trial"))
	compare(t, result{2, "", "sark: --value: query servers takes none\n"}, runWith(t, environ, "", "db", "explain", "servers", "--value", "x"))
}

func TestDBOnSQLite(t *testing.T) {
	dir := t.TempDir()
	run(t, "migrate", "--data-dir", dir)
	for command, want := range map[string]string{
		"connections": "it has no server, and no connections to count",
		"slow":        "it collects no times; the gateway's log has what is slower than store.slow_query",
		"long-tx":     "it has no server whose transactions could be listed",
	} {
		compare(t, result{1, "", "sark: the database is the SQLite file " + dir + "/sark.db: " + want + "\n"},
			run(t, "db", command, "--data-dir", dir))
	}
	compare(t, result{0, "SEARCH audit_events USING INDEX idx_audit_events_server_name_time (server_name=?)\n" +
		"USE TEMP B-TREE FOR LAST TERM OF ORDER BY\n", "server-trail github: SELECT … FROM audit_events WHERE server_name = ?" +
		" ORDER BY \"timestamp\" DESC, id DESC LIMIT ?\n"}, run(t, "db", "explain", "server-trail", "--value", "github", "--data-dir", dir))
}
