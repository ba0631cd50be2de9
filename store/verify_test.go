package store_test

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// archive is an audit trail that a gateway has left: events came through a spool and a shipper in batches of ten.
type archive struct {
	dir    string
	writer uuid.UUID
	key    *store.DigestKey
}

func (a *archive) database() string   { return filepath.Join(a.dir, "sark.db") }
func (a *archive) digestFile() string { return filepath.Join(a.dir, "digests.ndjson") }

// makeArchive records n events. Like a gateway that is restarted, it opens everything anew after half of them.
func makeArchive(t *testing.T, n int) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir()}
	a.record(t, 0, n/2)
	a.record(t, n/2, n)
	return a
}

// record adds the events from one number of the series to another.
func (a *archive) record(t *testing.T, from, to int) {
	t.Helper()
	var err error
	a.key, err = store.OpenDigestKey(filepath.Join(a.dir, "audit-digest.key"))
	check(t, err)
	s, err := spool.Open(spool.Options{Dir: filepath.Join(a.dir, "spool"), Log: zap.NewNop()})
	check(t, err)
	a.writer = s.Writer()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: a.database(), Log: zap.NewNop()})
	check(t, err)
	file, err := store.OpenDigestFile(store.DigestFileOptions{Path: a.digestFile(), Sync: true})
	check(t, err)
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: db, Batch: 10, DeadDir: filepath.Join(a.dir, "dead"), Key: a.key, DigestFile: file, Log: zap.NewNop(),
	})
	check(t, err)
	for i := from; i < to; i++ {
		ticket, err := s.Reserve(nil)
		check(t, err)
		e := storetest.Event(i)
		ticket.Record(&e)
	}
	check(t, shipper.Flush(t.Context()))
	check(t, file.Close())
	check(t, db.Close())
	check(t, s.Close(t.Context()))
}

// copy is the archive for one test to spoil.
func (a *archive) copy(t *testing.T) *archive {
	t.Helper()
	c := *a
	c.dir = t.TempDir()
	for _, path := range []string{a.database(), a.digestFile()} {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		check(t, err)
		check(t, os.WriteFile(filepath.Join(c.dir, filepath.Base(path)), content, 0o600))
	}
	return &c
}

// spoil changes the database as somebody who can write to it could.
func (a *archive) spoil(t testing.TB, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", a.database())
	check(t, err)
	defer func() { check(t, db.Close()) }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// verify returns what was found, one line for each finding: kind and numbers.
func (a *archive) verify(t testing.TB, change ...func(*store.VerifyOptions)) (store.Verification, []string) {
	t.Helper()
	trail, err := sqlite.OpenTrail(t.Context(), a.database())
	check(t, err)
	defer func() { check(t, trail.Close()) }()
	var found []string
	o := store.VerifyOptions{
		Keys: []ed25519.PublicKey{a.key.Public()},
		Found: func(f store.Finding) {
			where := ""
			if f.Writer != a.writer {
				where = " of another writer"
			}
			found = append(found, fmt.Sprintf("%s %d-%d%s", f.Kind, f.First, f.Last, where))
			if f.Detail == "" {
				t.Errorf("%s %d has no detail", f.Kind, f.First)
			}
			t.Logf("%s %d-%d: %s", f.Kind, f.First, f.Last, f.Detail)
		},
	}
	for _, c := range change {
		c(&o)
	}
	v, err := store.Verify(t.Context(), trail, o)
	check(t, err)
	return v, found
}

func expect(t testing.TB, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func withDigestFile(t *testing.T, path string) func(*store.VerifyOptions) {
	t.Helper()
	f, err := os.Open(path)
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	return func(o *store.VerifyOptions) { o.DigestFile = f }
}

func TestVerifyCleanTrail(t *testing.T) {
	a := makeArchive(t, 57)
	var done, total int64
	v, found := a.verify(t, withDigestFile(t, a.digestFile()), func(o *store.VerifyOptions) {
		o.Progress = func(d, n int64) { done, total = d, n }
	})
	expect(t, nil, found)
	if v.Events != 57 || v.Writers != 1 || v.Digests < 6 || v.Findings != 0 || v.Until().IsZero() || done != 57 || total != 57 {
		t.Errorf("verified %+v, progress %d of %d", v, done, total)
	}
	again, found := a.verify(t, func(o *store.VerifyOptions) { o.Heads = []store.Head{v.Heads[0].Head} })
	expect(t, nil, found)
	if diff := cmp.Diff(v, again); diff != "" {
		t.Errorf("verified again (-first +second):\n%s", diff)
	}
}

// others are values of the column types that differ from every value of the series.
func others() map[audit.Type]string {
	return map[audit.Type]string{
		audit.TypeUUID: "randomblob(16)", audit.TypeTimestamp: "%s + 1", audit.TypeInt4: "%s + 1", audit.TypeInt8: "%s + 1000",
		audit.TypeFloat8: "%s + 0.5", audit.TypeBool: "1 - %s", audit.TypeText: "%s || '.'", audit.TypeTextArray: `'["admin"]'`,
		audit.TypeJSONB: `'{"n":-1}'`, audit.TypeInet: `'10.9.9.9'`, audit.TypeBytea: "randomblob(32)",
	}
}

// TestVerifyFindsEveryColumn changes one column of one row after the other, of the first event, one within a batch and the
// first of a later batch.
func TestVerifyFindsEveryColumn(t *testing.T) {
	a := makeArchive(t, 40)
	for _, seq := range []int64{1, 15, 21} {
		for _, c := range audit.Columns() {
			t.Run(fmt.Sprintf("%s of %d", c.Name, seq), func(t *testing.T) {
				spoiled := a.copy(t)
				value := others()[c.Type]
				if strings.Contains(value, "%s") {
					value = fmt.Sprintf(value, `coalesce("`+c.Name+`", 'x')`)
				}
				spoiled.spoil(t, fmt.Sprintf(`UPDATE audit_events SET "%s" = %s WHERE seq = %d`, c.Name, value, seq))
				want := []string{fmt.Sprintf("changed %d-%d", seq, seq)}
				_, found := spoiled.verify(t)
				switch c.Name {
				case "format":
					want = []string{fmt.Sprintf("newer %d-%d", seq, seq)}
				case "writer_id":
					want = []string{fmt.Sprintf("missing %d-%d", seq, seq)}
					found = ofWriter(found)
				case "seq":
					want = []string{fmt.Sprintf("missing %d-%d", seq, seq), fmt.Sprintf("unsigned %d-%d", seq+1000, seq+1000)}
				}
				expect(t, want, found)
			})
		}
	}
}

// TestVerifyFindsAnotherFormat gives an event a format that an earlier version wrote, or none: the hash covers the format, too.
// A format that only a later version may know is a finding of its own, and the events before and after it are sound.
func TestVerifyFindsAnotherFormat(t *testing.T) {
	a := makeArchive(t, 20)
	newer := fmt.Sprint(audit.Format + 1)
	for value, want := range map[string][]string{
		"NULL": {"changed 5-5"}, "1": {"changed 5-5"}, "0": {"changed 5-5"}, "-1": {"changed 5-5"}, newer: {"newer 5-5"}, "1 << 40": {"changed 5-5"},
	} {
		spoiled := a.copy(t)
		spoiled.spoil(t, "UPDATE audit_events SET format = "+value+" WHERE seq = 5")
		_, found := spoiled.verify(t)
		expect(t, want, found)
	}

	spoiled := a.copy(t)
	spoiled.spoil(t, "UPDATE audit_events SET format = "+newer+" WHERE seq > 12")
	_, _, head, err := audit.Place(a.tuples(t)[19])
	check(t, err)
	_, found := spoiled.verify(t, func(o *store.VerifyOptions) { o.Heads = []store.Head{{Writer: a.writer, Seq: 20, Hash: head}} })
	expect(t, []string{"newer 13-20"}, found) // and the end is not missing
}

// ofWriter leaves out what was found of other writers.
func ofWriter(found []string) []string {
	var own []string
	for _, f := range found {
		if !strings.Contains(f, "another writer") {
			own = append(own, f)
		}
	}
	return own
}

// TestVerifyFindsOtherSpellings changes values to ones that mean the same to a reader of the events, but were not written.
func TestVerifyFindsOtherSpellings(t *testing.T) {
	a := makeArchive(t, 20)
	for _, assignment := range []string{
		"success = 2", "status_code = status_code + 4294967296", "ip_address = '::ffff:' || ip_address",
		`user_roles = '["analyst", "on call"]'`, "shadow = ''", "retention_until = NULL", "hash = CAST(hash || x'00' AS BLOB)",
		"ip_address = 'nowhere'", "user_roles = 'nothing'",
	} {
		t.Run(assignment, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.spoil(t, "UPDATE audit_events SET "+assignment+" WHERE seq = 7")
			_, found := spoiled.verify(t)
			expect(t, []string{"changed 7-7"}, found)
		})
	}
}

const forge = `INSERT INTO audit_events SELECT * FROM forged`

// forged makes a table of copies of a row, to be changed and put back.
func forged(seq int64, change string) []string {
	return []string{
		fmt.Sprintf("CREATE TABLE forged AS SELECT * FROM audit_events WHERE seq = %d", seq),
		"UPDATE forged SET id = randomblob(16), " + change,
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	a := makeArchive(t, 40)
	cut := func(seq int) []string {
		return []string{
			fmt.Sprintf("DELETE FROM audit_events WHERE seq > %d", seq), fmt.Sprintf("DELETE FROM audit_digests WHERE last_seq > %d", seq),
			fmt.Sprintf("UPDATE audit_writer_offset SET last_seq = %d", seq),
		}
	}
	for name, c := range map[string]struct {
		statements []string
		want       []string
	}{
		"row deleted":           {[]string{"DELETE FROM audit_events WHERE seq = 13"}, []string{"missing 13-13"}},
		"first row deleted":     {[]string{"DELETE FROM audit_events WHERE seq = 1"}, []string{"missing 1-1"}},
		"batch deleted":         {[]string{"DELETE FROM audit_events WHERE seq BETWEEN 11 AND 20"}, []string{"missing 11-20"}},
		"all rows deleted":      {[]string{"DELETE FROM audit_events"}, []string{"missing 1-40"}},
		"tail of rows cut":      {[]string{"DELETE FROM audit_events WHERE seq > 33"}, []string{"missing 34-40"}},
		"rows and digests cut":  {cut(30)[:2], []string{"unsigned 31-40", "missing 31-40"}},
		"neighbours swapped":    {swap(14, 15), []string{"reordered 14-15"}},
		"far events swapped":    {swap(4, 37), []string{"changed 4-4", "changed 37-37"}},
		"duplicate inserted":    {append(forged(8, "reason = 'mine'"), forge), []string{"forked 8-8"}},
		"inserted at the end":   {append(forged(8, "seq = 41"), forge), []string{"unsigned 41-41"}},
		"inserted before 1":     {append(forged(8, "seq = 0"), forge), []string{"forked 0-0"}},
		"of no writer":          {append(forged(8, "writer_id = x'00'"), forge), []string{"foreign 0-0 of another writer"}},
		"digest dropped":        {[]string{"DELETE FROM audit_digests WHERE first_seq = 11"}, []string{"unsigned 11-20"}},
		"first digest dropped":  {[]string{"DELETE FROM audit_digests WHERE first_seq = 1"}, []string{"unsigned 1-10"}},
		"last digest dropped":   {[]string{"DELETE FROM audit_digests WHERE first_seq = 31"}, []string{"unsigned 31-40"}},
		"all digests dropped":   {[]string{"DELETE FROM audit_digests"}, []string{"unsigned 1-40"}},
		"digest and row":        {[]string{"DELETE FROM audit_digests WHERE first_seq = 11", "UPDATE audit_events SET tool_name = 'x' WHERE seq = 15"}, []string{"unsigned 11-20", "changed 15-15"}},
		"two rows of one batch": {[]string{"UPDATE audit_events SET tool_name = 'x' WHERE seq IN (23, 28)"}, []string{"changed 23-23", "changed 28-28"}},
		"table without checks":  {loose("UPDATE audit_events SET status_code = 'x', \"timestamp\" = x'01' WHERE seq = 9"), []string{"changed 9-9"}},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.spoil(t, c.statements...)
			v, found := spoiled.verify(t)
			expect(t, c.want, found)
			if v.Findings == 0 {
				t.Error("nothing was counted")
			}
		})
	}
	t.Run("everything cut", func(t *testing.T) {
		whole, _ := a.verify(t)
		spoiled := a.copy(t)
		spoiled.spoil(t, cut(30)...)
		_, found := spoiled.verify(t)
		expect(t, nil, found)
		_, found = spoiled.verify(t, withDigestFile(t, spoiled.digestFile()))
		expect(t, []string{"missing 31-40"}, found)
		_, found = spoiled.verify(t, func(o *store.VerifyOptions) { o.Heads = []store.Head{whole.Heads[0].Head} })
		expect(t, []string{"missing 31-40"}, found)
	})
	t.Run("writer vanished", func(t *testing.T) {
		whole, _ := a.verify(t)
		spoiled := a.copy(t)
		spoiled.spoil(t, "DELETE FROM audit_events", "DELETE FROM audit_digests", "DELETE FROM audit_writer_offset")
		_, found := spoiled.verify(t, withDigestFile(t, spoiled.digestFile()))
		expect(t, []string{"missing 1-40"}, found)
		_, found = spoiled.verify(t, func(o *store.VerifyOptions) { o.Heads = []store.Head{whole.Heads[0].Head} })
		expect(t, []string{"missing 1-40"}, found)
	})
}

// swap exchanges the numbers of two rows.
func swap(a, b int) []string {
	return []string{
		fmt.Sprintf("UPDATE audit_events SET seq = -1 WHERE seq = %d", a), fmt.Sprintf("UPDATE audit_events SET seq = %d WHERE seq = %d", a, b),
		fmt.Sprintf("UPDATE audit_events SET seq = %d WHERE seq = -1", b),
	}
}

// loose replaces the table by one in which every column takes every type.
func loose(statement string) []string {
	return []string{
		"CREATE TABLE others AS SELECT * FROM audit_events", "DROP TABLE audit_events", "CREATE TABLE audit_events AS SELECT * FROM others", statement,
	}
}

// TestVerifyFindsChangedDigests changes each column of one digest.
func TestVerifyFindsChangedDigests(t *testing.T) {
	a := makeArchive(t, 40)
	for assignment, want := range map[string][]string{
		"merkle_root = randomblob(32)": {"digest 11-20"}, "previous_digest_hash = randomblob(32)": {"digest 11-20"},
		"signature = randomblob(64)": {"digest 11-20"}, "key_id = 'mine'": {"digest 11-20"}, "created_at = created_at + 1": {"digest 11-20"},
		"merkle_root = CAST(merkle_root || x'00' AS BLOB)": {"digest 11-20"}, "last_seq = 19": {"digest 11-19", "unsigned 11-20"},
		"first_seq = 12": {"digest 12-20", "unsigned 11-20"}, "last_seq = 9": {"digest 11-9", "unsigned 11-20"},
		"last_seq = 25": {"digest 11-25", "unsigned 11-20"}, "last_seq = 9223372036854775807": {"digest 11-9223372036854775807", "unsigned 11-20"},
		"last_seq = -9": {"digest 11--9", "unsigned 11-20"},
	} {
		t.Run(assignment, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.spoil(t, "UPDATE audit_digests SET "+assignment+" WHERE first_seq = 11")
			_, found := spoiled.verify(t)
			expect(t, want, found)
			_, found = spoiled.verify(t, withDigestFile(t, spoiled.digestFile()))
			if len(found) <= len(want) {
				t.Errorf("the digest file adds nothing: %q", found)
			}
		})
	}
}

func TestVerifyKeys(t *testing.T) {
	a := makeArchive(t, 20)
	other, err := store.OpenDigestKey(filepath.Join(t.TempDir(), "other.key"))
	check(t, err)
	_, found := a.verify(t, func(o *store.VerifyOptions) { o.Keys = nil })
	expect(t, []string{"digest 1-20"}, found)
	_, found = a.verify(t, func(o *store.VerifyOptions) { o.Keys = []ed25519.PublicKey{other.Public()} })
	expect(t, []string{"digest 1-20"}, found)
	_, found = a.verify(t, func(o *store.VerifyOptions) { o.Keys = append(o.Keys, other.Public()) })
	expect(t, nil, found)
}

// TestVerifyReadsNothingElse makes sure that the file is left as it is, by one who may not even write it.
func TestVerifyChangesNothing(t *testing.T) {
	a := makeArchive(t, 20).copy(t)
	before, err := os.ReadFile(a.database())
	check(t, err)
	a.verify(t)
	after, err := os.ReadFile(a.database())
	check(t, err)
	if string(before) != string(after) {
		t.Error("the database was changed")
	}
	if _, err := sqlite.OpenTrail(context.WithoutCancel(t.Context()), filepath.Join(a.dir, "none.db")); err == nil {
		t.Error("a file that is not there was opened")
	}
}
