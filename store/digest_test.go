package store_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/spool"
	"sark/store/sqlite"
	"sark/store/storetest"
)

func TestDigestKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit-digest.key")
	if _, err := store.ReadDigestKey(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key: error %v", err)
	}
	first, err := store.OpenDigestKey(path)
	check(t, err)
	second, err := store.OpenDigestKey(path)
	check(t, err)
	info, err := os.Stat(path)
	check(t, err)
	if first.ID() != second.ID() || info.Mode().Perm() != 0o600 {
		t.Errorf("keys %s and %s, mode %v", first.ID(), second.ID(), info.Mode())
	}
	public, err := store.ParsePublicKey(store.FormatPublicKey(first.Public()))
	check(t, err)
	if store.KeyID(public) != first.ID() || len(first.ID()) != 16 {
		t.Errorf("key %s is read as %s", first.ID(), store.KeyID(public))
	}
	for _, content := range []string{"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		check(t, os.WriteFile(path, []byte(content), 0o600))
		if _, err := store.OpenDigestKey(path); err == nil {
			t.Errorf("%q is taken for a key", content)
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	for _, s := range []string{"", "ed25519:", "ed25519:AAAA", "rsa:" + strings.Repeat("A", 43) + "=", strings.Repeat("A", 43) + "="} {
		if _, err := store.ParsePublicKey(s); err == nil {
			t.Errorf("%q is taken for a key", s)
		}
	}
}

func TestHeadRoundTrip(t *testing.T) {
	h := store.Head{Writer: uuid.New(), Seq: 7, Hash: [32]byte{1, 2, 3}}
	got, err := store.ParseHead(h.String())
	check(t, err)
	if diff := cmp.Diff(h, got); diff != "" {
		t.Errorf("head (-written +read):\n%s", diff)
	}
	for _, s := range []string{"", "::", h.Writer.String() + ":0:00", h.Writer.String() + ":7:00", "x:7:" + strings.Repeat("0", 64)} {
		if _, err := store.ParseHead(s); err == nil {
			t.Errorf("%q is taken for a head", s)
		}
	}
}

// TestDigestFileGoesOn opens a file whose last line a crash has cut, and one that lacks what the database has.
func TestDigestFileGoesOn(t *testing.T) {
	a := makeArchive(t, 40)
	whole, err := os.ReadFile(a.digestFile())
	check(t, err)
	lines := strings.SplitAfter(string(whole), "\n")
	for name, content := range map[string]string{
		"torn line": lines[0] + lines[1] + lines[2][:50], "missing lines": lines[0], "empty": "", "whole": string(whole),
	} {
		t.Run(name, func(t *testing.T) {
			check(t, os.WriteFile(a.digestFile(), []byte(content), 0o600))
			a.record(t, 0, 0) // a start without a new event
			got, err := os.ReadFile(a.digestFile())
			check(t, err)
			if diff := cmp.Diff(string(whole), string(got)); diff != "" {
				t.Errorf("digest file (-want +got):\n%s", diff)
			}
		})
	}
	check(t, os.WriteFile(a.digestFile(), []byte("no digest\n"), 0o600))
	if _, err := store.OpenDigestFile(store.DigestFileOptions{Path: a.digestFile()}); err == nil {
		t.Error("a file of something else is appended to")
	}
}

func TestDigestJSONRoundTrip(t *testing.T) {
	a := makeArchive(t, 10)
	f, err := os.Open(a.digestFile())
	check(t, err)
	defer func() { check(t, f.Close()) }()
	for d, err := range store.ReadDigests(f) {
		check(t, err)
		check(t, d.Check([]ed25519.PublicKey{a.key.Public()}))
		text, err := json.Marshal(&d)
		check(t, err)
		var again store.Digest
		check(t, json.Unmarshal(text, &again))
		if diff := cmp.Diff(d, again); diff != "" {
			t.Errorf("digest (-written +read):\n%s", diff)
		}
	}
	for _, bad := range []string{"{", `{"merkle_root":"00"}`, `{"writer_id":"x"}`} {
		for _, err := range store.ReadDigests(strings.NewReader(bad)) {
			if err == nil {
				t.Errorf("%s is taken for a digest", bad)
			}
		}
	}
}

// TestDigestConflictStoresNothing has a forged digest in the way of the next one: the batch waits, and no event is set aside.
func TestDigestConflictStoresNothing(t *testing.T) {
	a := makeArchive(t, 10)
	a.spoil(t, "INSERT INTO audit_digests SELECT writer_id, 11, 20, merkle_root, previous_digest_hash, signature, key_id, created_at FROM audit_digests WHERE first_seq = 1")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: a.database(), Log: zap.NewNop()})
	check(t, err)
	defer func() { check(t, db.Close()) }()
	last, ok, err := db.LastDigest(t.Context(), a.writer)
	if err != nil || !ok || last.First != 11 {
		t.Fatalf("last digest %+v, %v, error %v", last, ok, err)
	}
	tuples := storetest.Sealed(a.writer, 12)[10:]
	err = db.AppendBatch(t.Context(), store.Batch{Writer: a.writer, After: 10, Last: 12, Tuples: tuples, Digest: &last})
	if err == nil || errors.Is(err, store.ErrBadRow) {
		t.Errorf("error %v", err)
	}
	if offset, err := db.Offset(t.Context(), a.writer); err != nil || offset != 10 {
		t.Errorf("offset %d, error %v", offset, err)
	}
	if page, err := db.Events(t.Context(), store.EventFilter{}); err != nil || len(page.Items) != 10 {
		t.Errorf("%d events, error %v", len(page.Items), err)
	}
}

// plainSink keeps no digests.
type plainSink struct{ store.Sink }

func TestShipperWantsASinkForItsDigests(t *testing.T) {
	dir := t.TempDir()
	key, err := store.OpenDigestKey(filepath.Join(dir, "key"))
	check(t, err)
	s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Log: zap.NewNop()})
	check(t, err)
	defer func() { check(t, s.Close(context.WithoutCancel(t.Context()))) }()
	_, err = store.NewShipper(store.ShipperOptions{Source: s, Sink: plainSink{}, DeadDir: dir, Key: key, Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), "keeps no digests") {
		t.Errorf("error %v", err)
	}
}
