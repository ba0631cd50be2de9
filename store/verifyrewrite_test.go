package store_test

import (
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store"
	"sark/store/sqlite"
)

// tuples reads the trail's events.
func (a *archive) tuples(t *testing.T) [][]byte {
	t.Helper()
	trail, err := sqlite.OpenTrail(t.Context(), a.database())
	check(t, err)
	defer func() { check(t, trail.Close()) }()
	var list [][]byte
	for row, err := range trail.Events(t.Context(), store.Span{Writer: a.writer, First: 1, Last: 1 << 40}) {
		check(t, err)
		check(t, row.Damage)
		list = append(list, slices.Clone(row.Tuple))
	}
	return list
}

// rewrite changes the tool of the event at a number and computes the hashes from there to another number anew, as somebody
// who knows the format would.
func (a *archive) rewrite(t *testing.T, seq, to int64) {
	t.Helper()
	list := a.tuples(t)
	head := audit.GenesisHash(a.writer)
	if seq > 1 {
		var err error
		_, _, head, err = audit.Place(list[seq-2])
		check(t, err)
	}
	chain := audit.NewChain(a.writer, seq-1, head)
	db, err := sql.Open("sqlite", a.database())
	check(t, err)
	defer func() { check(t, db.Close()) }()
	for n := seq; n <= to; n++ {
		e, err := audit.DecodeTuple(list[n-1])
		check(t, err)
		if n == seq {
			e.ToolName = "innocent"
		}
		chain.Seal(audit.AppendTuple(nil, &e))
		sum := chain.Head()
		_, err = db.ExecContext(t.Context(), "UPDATE audit_events SET tool_name = ?, hash = ? WHERE seq = ?", e.ToolName, sum[:], n)
		check(t, err)
	}
}

// TestVerifyFindsRewrittenChains computes hashes anew after a change, so that the chain is sound again, or to its end.
func TestVerifyFindsRewrittenChains(t *testing.T) {
	a := makeArchive(t, 40)
	for name, c := range map[string]struct {
		seq, to int64
		want    []string
	}{
		"to the end":            {15, 40, []string{"replaced 11-40"}},
		"from the beginning":    {1, 40, []string{"replaced 1-40"}},
		"the last event":        {40, 40, []string{"replaced 31-40"}},
		"one event":             {15, 15, []string{"replaced 15-16"}},
		"the first of a batch":  {21, 21, []string{"replaced 21-22"}},
		"the last of a batch":   {20, 20, []string{"replaced 11-20"}},
		"to the end of a batch": {13, 20, []string{"replaced 11-20"}},
		"some events":           {13, 16, []string{"replaced 16-17"}},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.rewrite(t, c.seq, c.to)
			_, found := spoiled.verify(t)
			expect(t, c.want, found)
		})
	}
}

// resign makes all digests anew with a key, as if the events had always been those that are there.
func (a *archive) resign(t *testing.T, key *store.DigestKey) {
	t.Helper()
	list := a.tuples(t)
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "sark.db"), Log: zap.NewNop()})
	check(t, err)
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: &replay{writer: a.writer, tuples: list}, Sink: db, Batch: 10, DeadDir: dir, Key: key, Log: zap.NewNop(),
	})
	check(t, err)
	check(t, shipper.Flush(t.Context()))
	check(t, db.Close())
	a.spoil(t, "DELETE FROM audit_digests", fmt.Sprintf("ATTACH '%s' AS forged", filepath.Join(dir, "sark.db")),
		"INSERT INTO audit_digests SELECT * FROM forged.audit_digests")
}

// replay is a source that has tuples in memory.
type replay struct {
	writer uuid.UUID
	tuples [][]byte
}

func (r *replay) Writer() uuid.UUID          { return r.writer }
func (r *replay) Last() int64                { return int64(len(r.tuples)) }
func (r *replay) Sync() error                { return nil }
func (r *replay) Wake() <-chan struct{}      { return nil }
func (r *replay) Advance(int64, int64) error { return nil }
func (r *replay) Droppable(int64) bool       { return false }
func (r *replay) Drop(int64) error           { return nil }
func (r *replay) Read(after int64, limit int) ([][]byte, int64, error) {
	end := min(int(after)+limit, len(r.tuples))
	return r.tuples[after:end], int64(end), nil
}

func TestVerifyFindsAnotherKey(t *testing.T) {
	a := makeArchive(t, 40)
	whole, _ := a.verify(t)
	other, err := store.OpenDigestKey(filepath.Join(t.TempDir(), "other.key"))
	check(t, err)
	for name, key := range map[string]*store.DigestKey{"another key": other, "the gateway's own": a.key} {
		t.Run(name, func(t *testing.T) {
			spoiled := a.copy(t)
			spoiled.rewrite(t, 15, 40)
			spoiled.resign(t, key)
			_, found := spoiled.verify(t)
			if key == other {
				expect(t, []string{"digest 1-40"}, found)
			} else {
				expect(t, nil, found) // whoever has the key can sign anything
			}
			_, found = spoiled.verify(t, withDigestFile(t, spoiled.digestFile()), func(o *store.VerifyOptions) {
				o.Keys = []ed25519.PublicKey{a.key.Public(), other.Public()}
				o.Heads = []store.Head{whole.Heads[0].Head}
			})
			expect(t, []string{"replaced 40-40", "digest 1-40"}, found)
		})
	}
}

// TestVerifyFindsAnyChange changes the trail at random in one place and expects a finding that names the place.
func TestVerifyFindsAnyChange(t *testing.T) {
	a := makeArchive(t, 60)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	columns := audit.Columns()
	for range 60 {
		spoiled := a.copy(t)
		seq := 1 + r.Int64N(60)
		var change string
		switch r.IntN(6) {
		case 0:
			change = fmt.Sprintf("DELETE FROM audit_events WHERE seq = %d", seq)
		case 1:
			change = fmt.Sprintf("DELETE FROM audit_digests WHERE %d BETWEEN first_seq AND last_seq", seq)
		case 2:
			change = fmt.Sprintf("UPDATE audit_digests SET merkle_root = randomblob(32) WHERE %d BETWEEN first_seq AND last_seq", seq)
		case 3:
			spoiled.rewrite(t, seq, seq+r.Int64N(61-seq))
		default:
			c := columns[r.IntN(len(columns)-3)]
			value := others()[c.Type]
			if strings.Contains(value, "%s") {
				value = fmt.Sprintf(value, `coalesce("`+c.Name+`", 0)`)
			}
			change = fmt.Sprintf(`UPDATE audit_events SET "%s" = %s WHERE seq = %d`, c.Name, value, seq)
		}
		if change != "" {
			spoiled.spoil(t, change)
		}
		var named bool
		v, found := spoiled.verify(t, func(o *store.VerifyOptions) {
			o.Found = func(f store.Finding) {
				named = named || f.First-10 < seq && seq < f.Last+10
			}
		})
		if !named || v.Findings == 0 {
			t.Errorf("seed %d: %s at %d: found %q", seed, change, seq, found)
		}
	}
}

func TestVerifyReadsOtherWriters(t *testing.T) {
	a := makeArchive(t, 20)
	for range 3 {
		b := makeArchive(t, 20)
		a.spoil(t, fmt.Sprintf("ATTACH '%s' AS o", b.database()), "INSERT INTO audit_events SELECT * FROM o.audit_events",
			"INSERT INTO audit_digests SELECT * FROM o.audit_digests", "INSERT INTO audit_writer_offset SELECT * FROM o.audit_writer_offset")
		key := b.key
		v, found := a.verify(t, func(o *store.VerifyOptions) { o.Writer = b.writer; o.Keys = append(o.Keys, key.Public()) })
		expect(t, nil, found)
		if v.Writers != 1 || v.Events != 20 {
			t.Errorf("verified %+v", v)
		}
	}
	v, found := a.verify(t)
	if v.Writers != 4 || v.Events != 80 || len(found) != 3 {
		t.Errorf("verified %+v: %q", v, found)
	}
	expect(t, slices.Repeat([]string{"digest 1-20 of another writer"}, 3), found)
}
