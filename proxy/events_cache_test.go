package proxy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
	"sark/internal/testkit"
)

// TestEventsOfCachedReplies: a reply from cache is decided and recorded like any other, and is not given out when it cannot
// be recorded.
func TestEventsOfCachedReplies(t *testing.T) {
	cache, err := cachemw.New(cachemw.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Errorf("close the cache: %v", err)
		}
	})
	g := newGateway(t, func(s *setup) { s.Cache = cache })
	c := g.Dial(t)
	list := func() *testkit.Reply {
		(&methodCase{method: "tools/list"}).send(c, "modern", bearer("analyst"))
		return c.ReadReply()
	}
	type result struct {
		Status          int
		Cache, Recorded string
		Asked           int
	}
	var got []result
	for i := range 2 {
		r := list()
		got = append(got, result{r.Status, r.Header.Value("X-Cache"), g.AwaitEvents(t, i+1)[i].CacheStatus, len(g.Asked.Take())})
	}
	if d := cmp.Diff([]result{{200, "MISS", "MISS", 3}, {200, "HIT", "HIT", 3}}, got); d != "" {
		t.Errorf("replies and events (-want +got):\n%s", d)
	}
	g.Trail.Limit(0)
	if r := list(); r.Status != 503 {
		t.Errorf("with a full spool: status %d: %s", r.Status, r.Body)
	}
	g.Trail.Limit(-1)
	if d := cmp.Diff(map[string]int{"tools/list": 1}, g.Upstream.Calls()); d != "" {
		t.Errorf("calls of the upstream (-want +got):\n%s", d)
	}
}
