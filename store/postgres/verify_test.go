package postgres_test

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store"
	"sark/store/postgres"
)

// verify reads the whole trail as `sark audit verify` does, and returns what it found by kind.
func verify(t *testing.T, url string, key *store.DigestKey) (store.Verification, map[store.FindingKind]int64) {
	t.Helper()
	trail, err := postgres.OpenTrail(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close() //nolint:errcheck // read only
	found := make(map[store.FindingKind]int64)
	result, err := store.Verify(t.Context(), trail, store.VerifyOptions{
		Keys: []ed25519.PublicKey{key.Public()}, Found: func(f store.Finding) { found[f.Kind] += f.Last - f.First + 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, found
}

func digestKey(t *testing.T) *store.DigestKey {
	t.Helper()
	key, err := store.OpenDigestKey(filepath.Join(t.TempDir(), "digest.key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestVerify stores signed batches through connections that are cut at their COMMIT, finds the trail whole, and then finds
// what somebody with rights to the tables does to it.
func TestVerify(t *testing.T) {
	direct := testkit.Postgres(t)
	cutter, url := newCutter(t, direct)
	key := digestKey(t)
	h := build(t, open(t, postgres.Options{URL: url}), key)
	const rounds = 6
	for n := range rounds {
		cutter.arm([]cut{lost, silent}[n%2])
		h.record(t, n*perRound, perRound)
		until(t, "the connection was cut", cutter.passed)
	}
	h.finish(t, direct, rounds*perRound)

	result, found := verify(t, direct, key)
	if diff := cmp.Diff(map[store.FindingKind]int64{}, found); diff != "" || result.Events != rounds*perRound || result.Digests < rounds*perRound/50 {
		t.Errorf("an untouched trail: %+v (-want +found):\n%s", result, diff)
	}
	conn := connect(t, direct)
	for name, c := range map[string]struct {
		statement string
		want      store.FindingKind
	}{
		"changed":       {`UPDATE audit_events SET user_id = 'nobody' WHERE seq = 500`, store.FindingChanged},
		"deleted":       {`DELETE FROM audit_events WHERE seq = 500`, store.FindingMissing},
		"document":      {`UPDATE audit_events SET details = details || '{"x":1}' WHERE seq = 500`, store.FindingChanged},
		"network":       {`UPDATE audit_events SET ip_address = set_masklen(ip_address, 24) WHERE seq = 500`, store.FindingChanged},
		"digest":        {`UPDATE audit_digests SET created_at = created_at + interval '1 us' WHERE first_seq = 1`, store.FindingDigest},
		"short root":    {`UPDATE audit_digests SET merkle_root = '\x00' WHERE first_seq = 1`, store.FindingDigest},
		"cut off":       {`DELETE FROM audit_events WHERE seq > 2000`, store.FindingMissing},
		"trusted twice": {`INSERT INTO audit_events SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).* FROM audit_events e WHERE seq = 500`, store.FindingForked},
	} {
		do(t, conn, "CREATE TABLE kept_events AS TABLE audit_events; CREATE TABLE kept_digests AS TABLE audit_digests")
		do(t, conn, c.statement)
		if _, found := verify(t, direct, key); found[c.want] == 0 {
			t.Errorf("%s: found %v, want %s", name, found, c.want)
		}
		do(t, conn, `TRUNCATE audit_events, audit_digests; INSERT INTO audit_events TABLE kept_events;
			INSERT INTO audit_digests TABLE kept_digests; DROP TABLE kept_events, kept_digests`)
	}
}

// TestTrailIsAView verifies a trail while others write to it.
func TestTrailIsAView(t *testing.T) {
	url := testkit.Postgres(t)
	key := digestKey(t)
	h := build(t, open(t, postgres.Options{URL: url}), key)
	h.record(t, 0, perRound)
	if err := h.shipper.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	trail, err := postgres.OpenTrail(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close() //nolint:errcheck // read only
	h.record(t, perRound, perRound)
	h.finish(t, url, 2*perRound)
	got, err := store.Verify(context.WithoutCancel(t.Context()), trail, store.VerifyOptions{Keys: []ed25519.PublicKey{key.Public()}})
	if err != nil || got.Events != perRound || got.Findings != 0 {
		t.Errorf("verified %+v, error %v", got, err)
	}
}
