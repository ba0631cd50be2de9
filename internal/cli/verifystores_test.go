package cli_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/spool"
	"sark/store/storetest"
)

// shipped is a data directory whose gateway has recorded ten signed events in a store, and what was kept of that elsewhere.
type shipped struct {
	dir     string
	environ []string
	sink    store.Sink
	sql     *sql.DB
	fork    string // a copy of the spool as it was after eight events
	file    string // the digest file
	head    string
}

// ship records events of the series and stores them, as a gateway does between two starts.
func (s *shipped) ship(t *testing.T, spoolDir, digestFile string, from, to int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := store.OpenDigestKey(filepath.Join(s.dir, "audit-digest.key"))
	must(err)
	sp, err := spool.Open(spool.Options{Dir: spoolDir, Log: zap.NewNop()})
	must(err)
	o := store.ShipperOptions{Source: sp, Sink: s.sink, Batch: 4, DeadDir: filepath.Join(s.dir, "dead"), Key: key, Log: zap.NewNop()}
	if digestFile != "" {
		o.DigestFile, err = store.OpenDigestFile(store.DigestFileOptions{Path: digestFile})
		must(err)
		defer func() { must(o.DigestFile.Close()) }()
	}
	shipper, err := store.NewShipper(o)
	must(err)
	for n := from; n < to; n++ {
		ticket, err := sp.Reserve(nil)
		must(err)
		e := storetest.Event(n)
		ticket.Record(&e)
	}
	must(errors.Join(shipper.Flush(t.Context()), sp.Close(t.Context())))
}

func (s *shipped) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.sql.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// restore brings the trail back to what it was after ten events.
func (s *shipped) restore(t *testing.T) {
	t.Helper()
	for _, table := range []string{"audit_events", "audit_digests", "audit_writer_offset"} {
		s.exec(t, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table)
	}
}

// kinds runs audit verify and returns its exit code, and the findings with their numbers.
func (s *shipped) kinds(t *testing.T, flags ...string) (code int, found []string) {
	t.Helper()
	r := runWith(t, s.environ, "", append([]string{"audit", "verify", "--output", "json", "--data-dir", s.dir}, flags...)...)
	for line := range strings.Lines(r.Out) {
		var f struct {
			Type, Kind string
			First      int64 `json:"first_seq"`
			Last       int64 `json:"last_seq"`
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v; %s", line, err, r.Err)
		}
		if f.Type == "finding" {
			found = append(found, fmt.Sprintf("%s %d-%d", f.Kind, f.First, f.Last))
		}
	}
	slices.Sort(found)
	return r.Code, found
}

func shipTen(t *testing.T, sink store.Sink, dir string, environ []string) *shipped {
	t.Helper()
	s := &shipped{dir: dir, environ: environ, sink: sink, fork: filepath.Join(t.TempDir(), "fork"), file: filepath.Join(t.TempDir(), "digests.ndjson")}
	driver, source := "sqlite", filepath.Join(dir, "sark.db")
	if len(environ) > 0 {
		driver, source = "pgx", strings.TrimPrefix(environ[0], "SARK_STORE_URL=")
	}
	var err error
	if s.sql, err = sql.Open(driver, source); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.sql.Close() })
	s.ship(t, filepath.Join(dir, "spool"), s.file, 0, 8)
	if err := os.CopyFS(s.fork, os.DirFS(filepath.Join(dir, "spool"))); err != nil {
		t.Fatal(err)
	}
	s.ship(t, filepath.Join(dir, "spool"), s.file, 8, 10)
	r := runWith(t, environ, "", "audit", "verify", "--data-dir", dir)
	if _, s.head, _ = strings.Cut(strings.TrimSpace(r.Out), "head "); r.Code != 0 || s.head == "" {
		t.Fatalf("the trail is not sound to begin with: %+v", r)
	}
	for _, table := range []string{"audit_events", "audit_digests", "audit_writer_offset"} {
		s.exec(t, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
	}
	return s
}

// TestAuditVerifyOnEachStore tampers with the trail of both databases in every way, and finds it by the command: by itself what
// it can find by itself, and the rest against the digest file and against a head that was kept.
func TestAuditVerifyOnEachStore(t *testing.T) {
	cut := func(seq int) []string {
		return []string{
			fmt.Sprintf("DELETE FROM audit_events WHERE seq > %d", seq), fmt.Sprintf("DELETE FROM audit_digests WHERE last_seq > %d", seq),
			fmt.Sprintf("UPDATE audit_writer_offset SET last_seq = %d", seq),
		}
	}
	onEachStore(t, func(t *testing.T, sink store.Sink, dir string, environ []string) {
		s := shipTen(t, sink, dir, environ)
		for _, c := range []struct {
			name     string
			tamper   []string
			fork     bool     // then other events are recorded from a copy of the spool
			alone    []string // what is found without anything that was kept
			withFile []string
			withHead []string
		}{
			{"untouched", nil, false, nil, nil, nil},
			{"one byte changed", []string{"UPDATE audit_events SET tool_name = 'tool-x' WHERE seq = 3"}, false, []string{"changed 3-3"}, []string{"changed 3-3"}, []string{"changed 3-3"}},
			{"row deleted", []string{"DELETE FROM audit_events WHERE seq = 6"}, false, []string{"missing 6-6"}, []string{"missing 6-6"}, []string{"missing 6-6"}},
			{
				"rows swapped",
				[]string{"UPDATE audit_events SET seq = -1 WHERE seq = 6", "UPDATE audit_events SET seq = 6 WHERE seq = 7", "UPDATE audit_events SET seq = 7 WHERE seq = -1"},
				false,
				[]string{"reordered 6-7"},
				[]string{"reordered 6-7"},
				[]string{"reordered 6-7"},
			},
			{
				"digest replaced",
				[]string{"UPDATE audit_digests SET merkle_root = (SELECT merkle_root FROM kept_audit_digests WHERE first_seq = 1) WHERE first_seq = 5"},
				false,
				[]string{"digest 5-8"},
				[]string{"digest 5-8", "digest 5-8"}, // in itself, and against the file
				[]string{"digest 5-8"},
			},
			{"tail cut", cut(8), false, nil, []string{"missing 9-10"}, []string{"missing 9-10"}},
			{"writer forked", cut(8), true, nil, []string{"digest 9-10"}, []string{"replaced 10-10"}},
			{
				"writer vanished",
				[]string{"DELETE FROM audit_events", "DELETE FROM audit_digests", "DELETE FROM audit_writer_offset"},
				false, nil,
				[]string{"missing 1-10"},
				[]string{"missing 1-10"},
			},
		} {
			t.Run(c.name, func(t *testing.T) {
				defer s.restore(t)
				s.exec(t, c.tamper...)
				if c.fork {
					s.ship(t, s.fork, "", 20, 22)
				}
				for what, w := range map[string]struct {
					flags []string
					want  []string
				}{"alone": {nil, c.alone}, "digest file": {[]string{"--digest-file", s.file}, c.withFile}, "head": {[]string{"--head", s.head}, c.withHead}} {
					code, found := s.kinds(t, w.flags...)
					if diff := cmp.Diff(w.want, found); diff != "" {
						t.Errorf("%s (-want +got):\n%s", what, diff)
					}
					if (code != 0) != (len(w.want) > 0) {
						t.Errorf("%s: exit code %d with %d findings", what, code, len(found))
					}
				}
			})
		}
	})
}

// TestAuditVerifyLiveHead takes the head from the API of a running gateway, whose trail is then cut off without a trace.
func TestAuditVerifyLiveHead(t *testing.T) {
	dir := dataDir(t)
	g := startGateway(t, dir)
	key := runWith(t, nil, "", "apikey", "create", "--id", "auditor", "--role", "admin", "--data-dir", dir)
	secret := strings.TrimSpace(key.Out)
	if i := strings.LastIndex(secret, "sark_auditor_"); key.Code == 0 && i >= 0 {
		secret, _, _ = strings.Cut(secret[i:], "\n")
	} else {
		t.Fatalf("apikey create: %+v", key)
	}
	for range 3 {
		g.ask(t, "/api/v1/servers/")
	}
	head := awaitHead(t, g, secret, 3)
	g.end(t)
	spoil(t, dir, "DELETE FROM audit_events WHERE seq > 1", "DELETE FROM audit_digests WHERE first_seq > 1", "UPDATE audit_writer_offset SET last_seq = 1")

	r := run(t, "audit", "verify", "--data-dir", dir, "--head", head)

	if r.Code != 1 || !strings.Contains(r.Out, "a head names them; the end of the trail was cut off") {
		t.Errorf("verify: %+v", r)
	}
}

// awaitHead asks the gateway for its stored head until that has a number or more.
func awaitHead(t *testing.T, g *gateway, key string, seq int64) string {
	t.Helper()
	var head struct {
		Stored *struct {
			Seq  int64
			Head string
		}
	}
	ask := func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.api+"/api/v1/audit/head", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Api-Key", key)
		r.Close = true
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(reply.Body)
		if err := errors.Join(err, reply.Body.Close(), json.Unmarshal(body, &head)); err != nil || reply.StatusCode != 200 {
			t.Fatalf("head: %d %s, %v", reply.StatusCode, body, err)
		}
		return head.Stored != nil && head.Stored.Seq >= seq
	}
	testkit.Eventually(t, "a stored head", ask)
	return head.Stored.Head
}
