package api

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"sark/store"
)

// rollupSpan is what is counted when nobody says from when.
const rollupSpan = 24 * time.Hour

// rollups is the body of GET /api/v1/audit/rollups.
type rollups struct {
	Bucket  store.Bucket   `json:"bucket"`
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Items   []store.Rollup `json:"items"`
	HasMore bool           `json:"has_more"`
}

// listRollups answers GET /api/v1/audit/rollups, oldest bucket first.
func (a *API) listRollups(ctx context.Context, r *request) error {
	q := readQuery(r, "server", "tool", "from", "to", "bucket")
	now := a.o.Now()
	filter := store.RollupFilter{
		Server: q.text("server"),
		Tool:   q.text("tool"),
		From:   q.moment("from", now),
		To:     q.moment("to", now),
		Bucket: store.Bucket(q.word("bucket", string(store.BucketHour), string(store.BucketDay))),
	}
	if filter.To.IsZero() {
		filter.To = now.UTC()
	}
	if filter.From.IsZero() {
		filter.From = filter.To.Add(-rollupSpan)
	}
	if filter.Bucket == "" {
		filter.Bucket = store.BucketHour
	}
	if !filter.From.Before(filter.To) {
		q.fail("from", "should be before to")
	}
	if q.err != nil {
		return q.err
	}
	found, err := a.o.Rollups.Rollups(ctx, filter)
	if err != nil {
		return storeProblem(err, "audit trail")
	}
	out := rollups{Bucket: filter.Bucket, From: filter.From, To: filter.To, Items: found.Items, HasMore: found.HasMore}
	if out.Items == nil {
		out.Items = []store.Rollup{}
	}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}
