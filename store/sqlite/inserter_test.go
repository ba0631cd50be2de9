package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// TestOddValues stores texts, lists and addresses whose form in the file is not that of the tuple, and finds the same tuples.
func TestOddValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sark.db")
	d := open(t, sqlite.Options{Path: path})
	writer := storetest.Event(0).ID
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	var tuples [][]byte
	for i, roles := range [][]string{nil, {""}, {"a<b>&c", `quote"d`, `back\slash`}, {"ümläut", "tab\there", "line\u2028end"}, {strings.Repeat("long", 500)}} {
		e := storetest.Event(i)
		e.UserRoles, e.IP = roles, netip.MustParseAddr([]string{"::1", "10.0.0.1", "2001:db8::7", "255.255.255.255", "fe80::1"}[i])
		e.Details, e.Reason, e.Cost = []byte(`{"text":"`+strings.Repeat("x", i*3000)+`"}`), strings.Repeat("é", i*300), float64(i)
		tuple := audit.AppendTuple(nil, &e)
		chain.Seal(tuple)
		tuples = append(tuples, tuple)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, int64(len(tuples)), tuples); err != nil {
		t.Fatal(err)
	}
	trail, err := sqlite.OpenTrail(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(); err != nil {
			t.Error(err)
		}
	})
	var got [][]byte
	for row, err := range trail.Events(t.Context(), store.Span{Writer: writer, First: 1, Last: 100}) {
		if err != nil || row.Damage != nil {
			t.Fatalf("row %d: error %v, damage %v", row.Seq, err, row.Damage)
		}
		got = append(got, append([]byte(nil), row.Tuple...))
	}
	if diff := cmp.Diff(tuples, got); diff != "" {
		t.Errorf("the file gives other tuples back (-stored +read):\n%s", diff)
	}
}

// TestAppendWaitsForItsTurn appends while another process writes: it waits for the lock, and for no longer than its context.
func TestAppendWaitsForItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sark.db")
	d := open(t, sqlite.Options{Path: path})
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // only a reader by then
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	writer := uuid.New()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := d.AppendEvents(ctx, writer, 0, 3, storetest.Sealed(writer, 3)); err == nil {
		t.Error("stored beside another writer")
	}
	done := make(chan error)
	go func() { done <- d.AppendEvents(t.Context(), writer, 0, 3, storetest.Sealed(writer, 3)) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if offset, err := d.Offset(t.Context(), writer); err != nil || offset != 3 {
		t.Errorf("offset %d, error %v", offset, err)
	}
}

// TestAppendFails leaves nothing behind, and the next batch finds a connection that is ready.
func TestAppendFails(t *testing.T) {
	d := open(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db")})
	writer := uuid.New()
	tuples := storetest.Sealed(writer, 3)
	if err := d.AppendEvents(t.Context(), writer, 0, 3, [][]byte{tuples[0], tuples[0]}); !errors.Is(err, store.ErrBadRow) {
		t.Fatalf("an id that repeats: %v", err)
	}
	if offset, err := d.Offset(t.Context(), writer); err != nil || offset != 0 {
		t.Fatalf("offset %d, error %v", offset, err)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, 3, tuples); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.AppendEvents(t.Context(), writer, 3, 6, nil); err == nil {
		t.Error("stored in a closed store")
	}
}
