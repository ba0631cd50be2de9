package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// trail is what a writer's part of the trail looks like in the database itself.
type trail struct{ Rows, Events, First, Last, Offset int64 }

func readTrail(t *testing.T, c *pgx.Conn, writer uuid.UUID) trail {
	t.Helper()
	var got trail
	err := c.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id), coalesce(min(seq), 0), coalesce(max(seq), 0),
		coalesce((SELECT last_seq FROM audit_writer_offset WHERE writer_id = $1), 0)
		FROM audit_events WHERE writer_id = $1`, writer).Scan(&got.Rows, &got.Events, &got.First, &got.Last, &got.Offset)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func whole(n int64) trail { return trail{Rows: n, Events: n, First: 1, Last: n, Offset: n} }

func sameTrail(t *testing.T, want, got trail) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trail (-want +got):\n%s", diff)
	}
}

// TestConnectionLostAtCommit loses the connection before and after the server commits: the caller cannot tell which, asks
// for the offset, and goes on from there.
func TestConnectionLostAtCommit(t *testing.T) {
	for name, c := range map[string]struct {
		cut    cut
		offset int64
	}{"before": {lost, 0}, "after": {silent, 10}} {
		t.Run(name, func(t *testing.T) {
			direct := testkit.Postgres(t)
			cutter, url := newCutter(t, direct)
			d := open(t, postgres.Options{URL: url, PrePing: true})
			writer := storetest.Event(0).ID
			tuples := storetest.Sealed(writer, 20)
			cutter.arm(c.cut)

			err := d.AppendEvents(t.Context(), writer, 0, 10, tuples[:10])
			if err == nil || errors.Is(err, store.ErrBadRow) || errors.Is(err, store.ErrFenced) {
				t.Errorf("error %v, want that of a lost connection", err)
			}
			conn := connect(t, direct)
			until(t, "the server ended the session", func() bool { return readTrail(t, conn, writer).Offset == c.offset })
			offset, err := d.Offset(t.Context(), writer)
			if err != nil || offset != c.offset {
				t.Errorf("offset %d, error %v, want %d", offset, err, c.offset)
			}
			if err := d.AppendEvents(t.Context(), writer, offset, 20, tuples[offset:]); err != nil {
				t.Error(err)
			}
			sameTrail(t, whole(20), readTrail(t, conn, writer))
		})
	}
}

// TestCommitArrivesLate sends a batch again while the first, whose connection was lost, has not committed yet: the second
// must wait, and then be refused.
func TestCommitArrivesLate(t *testing.T) {
	direct := testkit.Postgres(t)
	cutter, url := newCutter(t, direct)
	d := open(t, postgres.Options{URL: url, PrePing: true})
	conn := connect(t, direct)
	writer := storetest.Event(0).ID
	tuples := storetest.Sealed(writer, 10)
	cutter.arm(late)
	if err := d.AppendEvents(t.Context(), writer, 0, 10, tuples); err == nil {
		t.Error("stored without an answer")
	}
	if offset, err := d.Offset(t.Context(), writer); err != nil || offset != 0 {
		t.Errorf("offset %d before the commit, error %v", offset, err)
	}

	var again sync.WaitGroup
	again.Go(func() {
		if err := d.AppendEvents(t.Context(), writer, 0, 10, tuples); !errors.Is(err, store.ErrFenced) {
			t.Errorf("the same batch again: error %v", err)
		}
	})
	until(t, "the second batch waits", func() bool {
		var waiting bool
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)`).Scan(&waiting)
		return err == nil && waiting
	})
	close(cutter.release)
	again.Wait()
	sameTrail(t, whole(10), readTrail(t, conn, writer))
}

// TestColumnsOfOtherTypes changes the table under an open store: the batch that notices fails in a way that is tried again,
// no event is set aside, and what is stored reads as it was sealed.
func TestColumnsOfOtherTypes(t *testing.T) {
	url := testkit.Postgres(t)
	d := open(t, postgres.Options{URL: url})
	conn := connect(t, url)
	writer := storetest.Event(0).ID
	tuples := storetest.Sealed(writer, 20)
	do(t, conn, `ALTER TABLE audit_events ALTER status_code TYPE bigint, ALTER user_email TYPE varchar(100), ALTER details TYPE json,
		ALTER duration_us TYPE numeric, ADD COLUMN region text DEFAULT 'here'`)

	err := d.AppendEvents(t.Context(), writer, 0, 10, tuples[:10])
	if err == nil || errors.Is(err, store.ErrBadRow) {
		t.Errorf("the first batch after the change: error %v", err)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, 10, tuples[:10]); err != nil {
		t.Errorf("the second: %v", err)
	}
	later := open(t, postgres.Options{URL: url})
	if err := later.AppendEvents(t.Context(), writer, 10, 20, tuples[10:]); err != nil {
		t.Errorf("a store opened after the change: %v", err)
	}
	if d.CopiesTuples() || later.CopiesTuples() {
		t.Error("tuples are still copied as they are")
	}
	verifyChain(t, later, writer, 20)
}

// TestValueThatDoesNotFit is a bad row, although pgx refuses it and not the server.
func TestValueThatDoesNotFit(t *testing.T) {
	url := testkit.Postgres(t)
	open(t, postgres.Options{URL: url})
	do(t, connect(t, url), `ALTER TABLE audit_events ALTER status_code TYPE smallint`)
	d := open(t, postgres.Options{URL: url})
	e := storetest.Event(0)
	e.StatusCode = 70000
	if err := d.AppendEvents(t.Context(), e.ID, 0, 1, [][]byte{audit.AppendTuple(nil, &e)}); !isBadRow(err) {
		t.Errorf("error %v", err)
	}
}

func TestColumnMissing(t *testing.T) {
	url := testkit.Postgres(t)
	open(t, postgres.Options{URL: url})
	do(t, connect(t, url), `ALTER TABLE audit_events DROP COLUMN cost`)
	d, err := postgres.Open(t.Context(), postgres.Options{URL: url, Log: nop()})
	if err == nil {
		t.Errorf("opened; close: %v", d.Close())
	}
}

func TestDatabaseOfAnotherEncoding(t *testing.T) {
	url := testkit.Postgres(t)
	conn := connect(t, url)
	do(t, conn, `CREATE DATABASE sark_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
	t.Cleanup(func() { dropDatabase(t, url, "sark_latin") })
	d, err := postgres.Open(t.Context(), postgres.Options{URL: withDatabase(t, url, "sark_latin"), Log: nop()})
	if err == nil {
		t.Errorf("opened; close: %v", d.Close())
	}
}
