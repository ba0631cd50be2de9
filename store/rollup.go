package store

import (
	"time"

	"sark/internal/audit"
)

// Bucket is the span of time that one rollup counts.
type Bucket string

// The buckets. Both begin by UTC.
const (
	BucketHour Bucket = "hour"
	BucketDay  Bucket = "day"
)

// MaxRollups is how many rollups one answer holds.
const MaxRollups = 10_000

// RollupFilter selects rollups. Filters are joined by AND; a zero field selects all.
type RollupFilter struct {
	From   time.Time // buckets that end after this time
	To     time.Time // buckets that begin before this time
	Server string    // the registry's id of a server when it is a UUID, else its name
	Tool   string
	Bucket Bucket // empty is BucketHour
}

// Validate reports the first filter whose value could never match, as a FilterError.
func (f *RollupFilter) Validate() error {
	if err := among("bucket", []string{string(f.Bucket)}, []string{"", string(BucketHour), string(BucketDay)}); err != nil {
		return err
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return &FilterError{Field: "to", Value: f.To.Format(time.RFC3339Nano)}
	}
	return nil
}

// Width is how long a bucket is.
func (f *RollupFilter) Width() time.Duration {
	if f.Bucket == BucketDay {
		return 24 * time.Hour
	}
	return time.Hour
}

// Rollup counts the events of one bucket that are alike. An empty text is that of events without one.
type Rollup struct {
	Start      time.Time `json:"start"` // of the bucket, in UTC
	ServerID   string    `json:"server_id"`
	ServerName string    `json:"server_name"`
	ToolName   string    `json:"tool_name"`
	Decision   string    `json:"decision"`
	Outcome    string    `json:"outcome"`
	Events     int64     `json:"events"`
	DurationUS int64     `json:"duration_us"` // the sum, in microseconds
	UpstreamUS int64     `json:"upstream_us"` // the sum, in microseconds
	BytesIn    int64     `json:"bytes_in"`
	BytesOut   int64     `json:"bytes_out"`
}

// RollupPage is an answer, oldest bucket first.
type RollupPage struct {
	Items []Rollup
	// HasMore says that there are more than MaxRollups, of which the oldest are here.
	HasMore bool
}

// HoursOf lists the hours, by UTC, in which events begin, each once: those that are to be counted again once the tuples are
// stored. A tuple that is none begins in no hour.
func HoursOf(tuples [][]byte) []time.Time {
	var hours []time.Time
	var last time.Time
	for _, tuple := range tuples {
		at, ok := audit.TupleTime(tuple)
		if !ok || at.Truncate(time.Hour).Equal(last) { // nearly all follow one of the same hour
			continue
		}
		last = at.Truncate(time.Hour)
		if !containsTime(hours, last) {
			hours = append(hours, last)
		}
	}
	return hours
}

func containsTime(list []time.Time, t time.Time) bool {
	for _, other := range list {
		if other.Equal(t) {
			return true
		}
	}
	return false
}
