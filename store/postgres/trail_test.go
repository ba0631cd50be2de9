package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
	"sark/store/storetest"
)

// verifyChain reads a writer's events, numbered 1 to n and in the order of their times, and checks every hash.
func verifyChain(t *testing.T, d *postgres.DB, writer uuid.UUID, n int) {
	t.Helper()
	var events []audit.Event
	for f := (store.EventFilter{Limit: store.MaxLimit}); ; {
		page, err := d.Events(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Items...)
		if !page.HasMore {
			break
		}
		f.Cursor = page.NextCursor
	}
	slices.Reverse(events)
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	for i := range events {
		if err := chain.Verify(audit.AppendTuple(nil, &events[i])); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if len(events) != n {
		t.Errorf("%d events, want %d", len(events), n)
	}
}

func withDatabase(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// withParameter returns a URL with one more parameter.
func withParameter(t *testing.T, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func dropDatabase(t *testing.T, address, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := pgx.Connect(ctx, withDatabase(t, address, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
		t.Error(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestHostileTexts stores what a database would refuse if it were not cleaned when it is encoded, and documents that jsonb
// writes in another way than we do. All must come back so that their hashes hold.
func TestHostileTexts(t *testing.T) {
	d := open(t, postgres.Options{})
	writer := storetest.Event(0).ID
	chain := audit.NewChain(writer, 0, audit.GenesisHash(writer))
	var tuples [][]byte
	for i, text := range []string{
		"a\x00b", "\xff\xfe", "\xed\xa0\x80", "\u2028\U0010FFFF", `\N`, `\.`, "\t\n\r\b", `{"a":"b"}`, "{}", "NULL", "'; DROP TABLE audit_events; --",
		strings.Repeat("界", 5000), "PGCOPY\n\xff\r\n\x00", strings.Repeat("\x00", 100),
	} {
		e := storetest.Event(i)
		e.Reason, e.UserEmail, e.UserAgent, e.Path, e.RequestID, e.UserRoles = text, text, text, text, text, []string{text, "", "NULL"}
		tuple := audit.AppendTuple(nil, &e)
		chain.Seal(tuple)
		tuples = append(tuples, tuple)
	}
	for i, document := range []string{
		`{"b":1.10,"aa":1e3,"a":2}`, `[1e30,-0,1e-7,123456789012345678901,0.1,5e-324,1.7976931348623157e308]`, `{"nul":"\u0000","é":"\\u0000"}`,
		`"\ud83d\ude00 \u007f </script>"`, `{"":{"":[]}}`, `null`, `9223372036854775807`,
	} {
		e := storetest.Event(len(tuples) + i)
		canonical, err := audit.AppendCanonical(nil, []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		e.Details, e.PrincipalAttributes, e.Arguments = canonical, canonical, canonical
		tuple := audit.AppendTuple(nil, &e)
		chain.Seal(tuple)
		tuples = append(tuples, tuple)
	}
	if err := d.AppendEvents(t.Context(), writer, 0, int64(len(tuples)), tuples); err != nil {
		t.Fatal(err)
	}
	verifyChain(t, d, writer, len(tuples))
}

// TestCommitIsDurable stores events in a database where commits return before they are on the disk.
func TestCommitIsDurable(t *testing.T) {
	url := testkit.Postgres(t)
	open(t, postgres.Options{URL: url})
	conn := connect(t, url)
	do(t, conn, `ALTER TABLE audit_events ADD COLUMN commits text DEFAULT current_setting('synchronous_commit')`)
	for setting, want := range map[string]string{"off": "on", "local": "local"} {
		d := open(t, postgres.Options{URL: withParameter(t, url, "synchronous_commit", setting)})
		writer := uuid.New()
		e := storetest.Event(len(setting))
		if err := d.AppendEvents(t.Context(), writer, 0, 1, [][]byte{audit.AppendTuple(nil, &e)}); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRow(t.Context(), `SELECT commits FROM audit_events WHERE id = $1`, e.ID).Scan(&got); err != nil || got != want {
			t.Errorf("set to %s: stored with %q, want %q, error %v", setting, got, want, err)
		}
	}
}

// TestBadRows are rows that no attempt will store, each in the midst of good ones.
func TestBadRows(t *testing.T) {
	d := open(t, postgres.Options{})
	writer := storetest.Event(0).ID
	document := storetest.Event(1)
	document.Details = []byte(`{"not":json}`)
	good := storetest.Sealed(writer, 3)
	id := bytes.Clone(good[1])
	id[5] = 15 // an id of 15 bytes, and a time that begins one byte too early
	for name, bad := range map[string][]byte{
		"not JSON": audit.AppendTuple(nil, &document), "cut": good[1][:len(good[1])-1], "twice": good[0], "no index entry": tooLongToIndex(t, good[1]),
		"id": id, "array": badArray(good[1]), "two in one": append(bytes.Clone(good[1]), good[0]...),
		"count": append([]byte{0, 58}, good[1][2:]...),
	} {
		err := d.AppendEvents(t.Context(), writer, 0, 3, [][]byte{good[0], bad, good[2]})
		if !isBadRow(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := d.AppendEvents(t.Context(), writer, 0, 3, good); err != nil {
		t.Fatal(err)
	}
	verifyChain(t, d, writer, 3)
}

func isBadRow(err error) bool { return errors.Is(err, store.ErrBadRow) }

// tooLongToIndex returns a tuple with a tool name that its index cannot hold, compressed or not.
func tooLongToIndex(t *testing.T, tuple []byte) []byte {
	t.Helper()
	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 8000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte('!' + source.IntN(90))
	}
	column := slices.IndexFunc(audit.Columns(), func(c audit.Column) bool { return c.Name == "tool_name" })
	fields[column] = noise
	long, err := audit.JoinTuple(nil, &fields)
	if err != nil {
		t.Fatal(err)
	}
	return long
}

// badArray returns a tuple whose roles claim to be an array of another type.
func badArray(tuple []byte) []byte {
	bad := bytes.Clone(tuple)
	at := bytes.Index(bad, []byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19"))
	bad[at+11] = 23
	return bad
}
