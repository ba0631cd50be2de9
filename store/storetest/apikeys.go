package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/store"
)

// rotation: the old key ends at the given time, or before if it would have, and never again later.
func rotation(t *testing.T, s Store) {
	soon, later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond), time.Now().Add(2*time.Hour).UTC().Truncate(time.Microsecond)
	key := func(id string, expires time.Time) store.APIKey {
		return store.APIKey{ID: id, Hash: [32]byte{id[0]}, Subject: "bot", Roles: []string{"service"}, ExpiresAt: expires}
	}
	must(t, s.CreateAPIKey(t.Context(), key("for-ever", time.Time{})))
	must(t, s.CreateAPIKey(t.Context(), key("for-a-while", soon)))
	must(t, s.CreateAPIKey(t.Context(), key("over", Epoch)))
	must(t, s.CreateAPIKey(t.Context(), key("revoked", time.Time{})))
	must(t, s.RevokeAPIKey(t.Context(), "revoked"))

	must(t, s.RotateAPIKey(t.Context(), "for-ever", key("for-ever-2", time.Time{}), later))
	must(t, s.RotateAPIKey(t.Context(), "for-a-while", key("for-a-while-2", later), later))
	for _, id := range []string{"over", "revoked", "nobody"} {
		if err := s.RotateAPIKey(t.Context(), id, key("of-"+id, time.Time{}), later); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: error %v", id, err)
		}
	}
	if err := s.RotateAPIKey(t.Context(), "for-ever", key("over", time.Time{}), soon); !errors.Is(err, store.ErrNameTaken) {
		t.Errorf("a taken id: error %v", err)
	}

	keys, err := s.APIKeys(t.Context())
	must(t, err)
	ends := map[string]time.Time{}
	for _, k := range keys {
		ends[k.ID] = k.ExpiresAt.UTC()
	}
	want := map[string]time.Time{
		"for-ever": later, "for-ever-2": {}, "for-a-while": soon, "for-a-while-2": later, "over": Epoch.UTC(), "revoked": {},
	}
	if diff := cmp.Diff(want, ends); diff != "" {
		t.Errorf("ends of the keys (-want +got):\n%s", diff)
	}
}

func apiKeys(t *testing.T, s Store) {
	want := []store.APIKey{
		{ID: "ci", Hash: [32]byte{1, 2}, Subject: "ci-bot", Description: "builds", Roles: []string{"service"}, ExpiresAt: Epoch},
		{ID: "root", Hash: [32]byte{3}, Subject: "root", Roles: []string{"admin"}, Teams: []string{"platform"}, Scopes: []string{"a", "b"}},
	}
	for _, k := range want {
		must(t, s.CreateAPIKey(t.Context(), k))
	}
	if err := s.CreateAPIKey(t.Context(), want[0]); !errors.Is(err, store.ErrNameTaken) {
		t.Errorf("a taken id: error %v", err)
	}
	must(t, s.RevokeAPIKey(t.Context(), "ci"))
	if err := s.RevokeAPIKey(t.Context(), "cj"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown id: error %v", err)
	}

	got, err := s.APIKeys(t.Context())
	must(t, err)

	byID := cmpopts.SortSlices(func(a, b store.APIKey) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, got, byID, cmpopts.IgnoreFields(store.APIKey{}, "CreatedAt", "RevokedAt")); diff != "" {
		t.Errorf("keys (-written +read):\n%s", diff)
	}
	for id, revoked := range map[string]bool{"ci": true, "root": false} {
		k, ok, err := s.FindAPIKey(t.Context(), id)
		must(t, err)
		if !ok || k.Revoked() != revoked || time.Since(k.CreatedAt) > time.Hour {
			t.Errorf("key %s: found %v, %+v", id, ok, k)
		}
	}
	_, ok, err := s.FindAPIKey(t.Context(), "cj")
	must(t, err)
	if ok {
		t.Error("an unknown key was found")
	}
}
