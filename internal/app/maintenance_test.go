package app_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/internal/app"
	"sark/internal/testkit"
	"sark/store"
	"sark/store/storetest"
)

// TestRetention starts a gateway on a trail that has events from before audit.retention. They are removed, which leaves an
// event, and what is left is counted.
func TestRetention(t *testing.T) {
	upstream := testkit.NewMCPUpstream(t, testkit.MCPOptions{})
	dir := dataDir(t)
	key := newKey(t, dir, "admin")
	db := openStore(t, dir)
	writer := uuid.New()
	if err := db.AppendEvents(t.Context(), writer, 0, 48, storetest.Spread(writer, time.Now().AddDate(0, 0, -4), 2*time.Hour, 48)); err != nil {
		t.Fatal(err)
	}
	file := configure(t, dir, upstream.URL()+"/mcp", "audit: {retention: 48h}")
	g := start(t, file)

	over(g.API, key).awaitEvents(t, "event_type="+app.RetentionEvent, 1)
	g.stop(t)

	var left, said int
	for _, e := range stored(t, dir) {
		switch {
		case e.EventType == app.RetentionEvent && e.Rule == "audit.retention: 48h0m0s":
			said++
		case e.WriterID == writer && e.Time.Before(time.Now().Add(-50*time.Hour)):
			t.Errorf("an event of %s is still there", e.Time)
		case e.WriterID == writer:
			left++
		}
	}
	if said != 1 || left < 24 {
		t.Errorf("%d events say what was removed, %d events are left", said, left)
	}
	trailPage, err := db.Rollups(t.Context(), store.RollupFilter{Bucket: store.BucketDay, Server: "server-0", Tool: "tool-0", To: time.Now().Add(-49 * time.Hour).Truncate(24 * time.Hour)})
	if diff := cmp.Diff(store.RollupPage{}, trailPage); diff != "" || err != nil {
		t.Errorf("counts of what was removed: %v\n%s", err, diff)
	}
}
