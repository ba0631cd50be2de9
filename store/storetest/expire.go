package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/store"
)

// Key makes a key that signs, for one test.
func Key(t testing.TB) *store.DigestKey {
	t.Helper()
	key, err := store.OpenDigestKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// batch stores events with a digest, which says that they were stored at a time.
func batch(t *testing.T, s Store, after, last int64, tuples [][]byte, at time.Time) {
	t.Helper()
	must(t, s.AppendBatch(t.Context(), store.Batch{
		Writer: writer, After: after, Last: last, Tuples: tuples,
		Digest: &store.Digest{Writer: writer, First: after + 1, Last: last, CreatedAt: at, KeyID: "k", Signature: []byte{1}},
	}))
}

// expireAll removes what is due by a mark, and counts again.
func expireAll(t *testing.T, s Store, mark store.RetentionMark) (rows int64) {
	t.Helper()
	for {
		step, err := s.Expire(t.Context(), mark)
		must(t, err)
		rows += step.Rows
		if !step.More {
			recount(t, s)
			return rows
		}
	}
}

// expire removes ten of twelve days, of which each was stored as it came.
func expire(t *testing.T, s Store) {
	first := Epoch.Truncate(24 * time.Hour)
	tuples := Spread(writer, first, 12*time.Hour, 24)
	for i := int64(0); i < 24; i += 2 {
		batch(t, s, i, i+2, tuples[i:i+2], first.Add(time.Duration(i+2)*12*time.Hour-time.Minute))
	}
	recount(t, s)
	mark := store.NewRetentionMark(Key(t), first.AddDate(0, 0, 10), "audit.retention: 1h", Epoch)

	gone := expireAll(t, s, mark)

	if diff := cmp.Diff([]int64{23, 22, 21, 20}, numbers(all(t, s, store.EventFilter{}))); diff != "" || gone != 20 {
		t.Errorf("%d events are gone; left (-want +got):\n%s", gone, diff)
	}
	want := map[time.Time]int64{first.AddDate(0, 0, 10): 2, first.AddDate(0, 0, 11): 2}
	if diff := cmp.Diff(want, total(t, s, store.RollupFilter{Bucket: store.BucketDay})); diff != "" {
		t.Errorf("events counted (-want +got):\n%s", diff)
	}
	digests, err := s.Digests(t.Context(), writer, 0, 100)
	must(t, err)
	var left []int64
	for _, d := range digests {
		left = append(left, d.First)
	}
	if diff := cmp.Diff([]int64{19, 21, 23}, left); diff != "" {
		t.Errorf("digests left, the last before the cutoff among them (-want +got):\n%s", diff)
	}
	if again := expireAll(t, s, mark); again != 0 {
		t.Errorf("%d more are gone", again)
	}
}

// expireKeepsWhatCameLate does not believe an event's own time when it was stored after the cutoff: an event that is to
// vanish is not taken away by making it look old.
func expireKeepsWhatCameLate(t *testing.T, s Store) {
	first := Epoch.Truncate(24 * time.Hour)
	tuples := Spread(writer, first, time.Hour, 4)
	batch(t, s, 0, 2, tuples[:2], first.Add(2*time.Hour))
	batch(t, s, 2, 4, tuples[2:], first.AddDate(0, 0, 5))
	mark := store.NewRetentionMark(Key(t), first.AddDate(0, 0, 3), "audit.retention: 1h", Epoch)

	expireAll(t, s, mark)

	left := numbers(all(t, s, store.EventFilter{}))
	if len(left) < 2 || left[0] != 3 || left[1] != 2 {
		t.Errorf("left are %v, want 3 and 2 among them", left)
	}
	if gone := expireAll(t, s, store.NewRetentionMark(Key(t), first.AddDate(0, 0, 6), "audit.retention: 1h", Epoch)); gone != int64(len(left)) {
		t.Errorf("%d are gone in the end, want %d", gone, len(left))
	}
}
