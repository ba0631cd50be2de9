package store_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// expired is an archive of forty events, of which the first twenty were removed for their age.
func expired(t *testing.T) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir()}
	a.record(t, 0, 20)
	cutoff := time.Now().Add(time.Microsecond)
	a.record(t, 20, 40)
	a.expire(t, store.NewRetentionMark(a.key, cutoff, "audit.retention: 24h0m0s", time.Now()))
	return a
}

func (a *archive) expire(t *testing.T, mark store.RetentionMark) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: a.database(), Log: zap.NewNop()})
	check(t, err)
	for more := true; more; {
		step, err := db.Expire(t.Context(), mark)
		check(t, err)
		more = step.More
	}
	check(t, db.Close())
}

// TestVerifyToldOfRetention tells what was removed for its age from what was deleted, and believes nobody who has no key.
func TestVerifyToldOfRetention(t *testing.T) {
	whole := expired(t)
	const latest = "(SELECT max(created_at) + 1 FROM audit_digests)"
	for name, c := range map[string]struct {
		spoil []string
		want  []string
	}{
		"nothing else": {nil, []string{"expired 1-20"}},
		"a deletion in what is kept": {
			[]string{"DELETE FROM audit_events WHERE seq = 33"},
			[]string{"expired 1-20", "missing 33-33"},
		},
		"the first that is kept": {
			[]string{"DELETE FROM audit_events WHERE seq = 21"},
			[]string{"expired 1-20", "missing 21-21"},
		},
		"a later mark without a signature": {
			[]string{
				"INSERT INTO audit_retention SELECT " + latest + ", rule, created_at, key_id, signature FROM audit_retention",
				"DELETE FROM audit_events WHERE seq <= 39",
			},
			[]string{"digest 0-0 of another writer", "expired 1-20", "missing 21-39"},
		},
		"the mark moved": {
			[]string{"UPDATE audit_retention SET cutoff = " + latest},
			[]string{"digest 0-0 of another writer", "unsigned 1-10", "missing 1-20"},
		},
		"no mark": {
			[]string{"DELETE FROM audit_retention"},
			[]string{"unsigned 1-10", "missing 1-20"},
		},
		"the last digest before the cutoff": {
			[]string{"DELETE FROM audit_digests WHERE last_seq = 20"},
			[]string{"unsigned 1-20", "missing 1-20"},
		},
		"a digest said to be older": {
			[]string{"UPDATE audit_digests SET created_at = 0 WHERE last_seq = 30", "DELETE FROM audit_events WHERE seq <= 30"},
			[]string{"expired 1-20", "digest 21-30", "missing 21-30"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := whole.copy(t)
			a.spoil(t, c.spoil...)

			result, found := a.verify(t)

			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if clean := len(c.spoil) == 0; clean != (result.Findings == 0) {
				t.Errorf("%d findings", result.Findings)
			}
		})
	}
}

// TestVerifyAgainstWhatWasKnown has a head and a copy of the digests from before the events were removed.
func TestVerifyAgainstWhatWasKnown(t *testing.T) {
	a := &archive{dir: t.TempDir()}
	a.record(t, 0, 20)
	before, _ := a.verify(t)
	a.expire(t, store.NewRetentionMark(a.key, time.Now(), "audit.retention: 24h0m0s", time.Now()))

	result, found := a.verify(t, func(o *store.VerifyOptions) { o.Heads = []store.Head{before.Heads[0].Head} }, withDigestFile(t, a.digestFile()))

	if diff := cmp.Diff([]string{"expired 1-20"}, found); diff != "" || result.Findings != 0 {
		t.Errorf("%d findings (-want +got):\n%s", result.Findings, diff)
	}
}

// TestRetentionMark changes each part of a mark.
func TestRetentionMark(t *testing.T) {
	key := storetest.Key(t)
	keys := []ed25519.PublicKey{key.Public()}
	m := store.NewRetentionMark(key, time.Now(), "a rule", time.Now())
	if err := m.Check(keys); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(m *store.RetentionMark){
		"cutoff": func(m *store.RetentionMark) { m.Cutoff = m.Cutoff.Add(time.Microsecond) },
		"rule":   func(m *store.RetentionMark) { m.Rule += "s" },
		"time":   func(m *store.RetentionMark) { m.CreatedAt = m.CreatedAt.Add(time.Microsecond) },
		"key":    func(m *store.RetentionMark) { m.KeyID = "other" },
	} {
		other := m
		change(&other)
		if other.Check(keys) == nil {
			t.Errorf("%s was changed unseen", name)
		}
	}
	if m.Check([]ed25519.PublicKey{storetest.Key(t).Public()}) == nil {
		t.Error("somebody else's mark is trusted")
	}
}
