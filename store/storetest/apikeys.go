package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/store"
)

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
