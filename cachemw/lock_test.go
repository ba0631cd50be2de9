package cachemw_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
	"sark/internal/testkit"
)

// TestTryRefresh: of the gateways that share a server one refreshes; without a server to ask each may.
func TestTryRefresh(t *testing.T) {
	s := testkit.StartRedis(t)
	var caches []*cachemw.Cache
	for range 2 {
		l2 := newRedis(t, cachemw.RedisOptions{Client: dial(t, s.URL()), LookupTimeout: patient})
		caches = append(caches, newCache(t, cachemw.Options{Backend: newTiered(t, l2, cachemw.TieredOptions{})}))
	}
	try := func(key cachemw.Key) []bool {
		var got []bool
		for _, c := range append(caches, caches...) {
			got = append(got, c.TryRefresh(t.Context(), key, cachemw.Entry{}))
		}
		return got
	}
	if diff := cmp.Diff([]bool{true, false, false, false}, try(cachemw.Key{1})); diff != "" {
		t.Errorf("who may refresh (-want +got):\n%s", diff)
	}
	s.Kill()
	if diff := cmp.Diff([]bool{true, true, true, true}, try(cachemw.Key{2})); diff != "" {
		t.Errorf("without Redis (-want +got):\n%s", diff)
	}
	alone := newCache(t, cachemw.Options{})
	if !alone.TryRefresh(t.Context(), cachemw.Key{1}, cachemw.Entry{}) {
		t.Error("a gateway of its own may not refresh")
	}
}
