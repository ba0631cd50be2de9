package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

const (
	// recent is how far back every question reaches. Most events are in the database sooner after they happened.
	recent = 2 * time.Second
	// wholeEvery is how often a question reaches back as far as late events may be.
	wholeEvery = 10 * time.Second
	// maxPages bounds what one question reads: 100,000 events.
	maxPages = 500
	// maxSearched bounds how many events are read at first to find some that are shown.
	maxSearched = 5_000
)

// errTooMany says that more events came at once than are shown.
var errTooMany = errors.New("too many events at once: older ones are left out")

// follower asks for events again and again and gives each one once. An event's time is when its exchange began, and it is
// recorded when the exchange ends: so questions overlap, and what was seen is known by its id.
type follower struct {
	client  *client
	filter  store.EventFilter
	overlap time.Duration // how late an event may be
	all     bool
	now     func() time.Time

	seen   map[string]time.Time // ids of the events since horizon, with their time
	newest time.Time            // of all events; zero when there was none
	whole  time.Time            // when a question last reached back over the whole overlap
	stored time.Time            // by the gateway's clock: the trail held all earlier events when it was last asked
	lag    time.Duration        // of the trail, when it was last asked
}

func newFollower(c *client, filter store.EventFilter, overlap time.Duration, all bool, now func() time.Time) *follower {
	if filter.Action != "" || filter.ID != uuid.Nil || filter.ExchangeID != uuid.Nil || filter.DecisionID != uuid.Nil {
		all = true // they are asked for
	}
	return &follower{client: c, filter: filter, overlap: overlap, all: all, now: now, seen: map[string]time.Time{}}
}

// filtered tells whether only some of the events are asked for, so that the newest one may be old.
func (f *follower) filtered() bool { return len(parameters(&f.filter)) > 0 }

// reached is how far the trail was read: to the newest event, or with filters to where it ended when it was last asked.
func (f *follower) reached() time.Time {
	if f.filtered() && f.stored.After(f.newest) {
		return f.stored
	}
	return f.newest
}

// start returns the latest events, at most lines, oldest first. It also learns which of the overlap are there already.
func (f *follower) start(ctx context.Context, lines int) ([]event, error) {
	found, err := f.read(ctx, time.Time{}, func(found []event) bool {
		oldest := found[len(found)-1].Time
		return oldest.Before(f.horizon(found[0].Time)) && (f.shown(found) >= lines || len(found) >= maxSearched)
	})
	if err != nil && !errors.Is(err, errTooMany) {
		return nil, err
	}
	f.whole = f.now()
	events := f.fresh(found)
	return events[max(0, len(events)-lines):], nil
}

// next returns the events that were not given before, oldest first. After an error it reaches back over the whole overlap.
func (f *follower) next(ctx context.Context) ([]event, error) {
	now := f.now()
	whole := now.Sub(f.whole) >= wholeEvery
	reached := f.reached()
	from := f.horizon(reached)
	if !whole && !reached.IsZero() {
		from = f.edge(reached).Add(-recent)
	}
	found, err := f.read(ctx, from, func([]event) bool { return false })
	switch {
	case err != nil && !errors.Is(err, errTooMany):
		f.whole = time.Time{}
		return nil, err
	case whole:
		f.whole = now
	}
	events := f.fresh(found)
	f.forget()
	return events, err
}

// edge is the time of the newest event, or now when a clock that was set back left events in the future.
func (f *follower) edge(newest time.Time) time.Time {
	if now := f.now(); newest.After(now) {
		return now
	}
	return newest
}

// horizon is the time from which on late events are looked for; zero while there are none at all.
func (f *follower) horizon(newest time.Time) time.Time {
	if newest.IsZero() {
		return time.Time{}
	}
	return f.edge(newest).Add(-f.overlap)
}

// read reads pages from the newest event back to from, or until what was found is enough. With errTooMany come the newest.
func (f *follower) read(ctx context.Context, from time.Time, enough func(found []event) bool) ([]event, error) {
	filter := f.filter
	if from.After(filter.From) {
		filter.From = from
	}
	if !filter.To.IsZero() && !filter.From.Before(filter.To) {
		return nil, nil // all that was asked for is over
	}
	query := parameters(&filter)
	query.Set("limit", strconv.Itoa(store.MaxLimit))
	var found []event
	for n := range maxPages {
		p, err := f.client.events(ctx, query)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			f.lag = time.Duration(p.Lag * float64(time.Second))
			if stored := p.at.Add(-f.lag); stored.After(f.stored) {
				f.stored = stored
			}
		}
		found = append(found, p.Items...)
		if !p.HasMore || len(found) == 0 || enough(found) {
			return found, nil
		}
		query.Set("cursor", p.NextCursor)
	}
	return found, fmt.Errorf("%w (%d read)", errTooMany, len(found))
}

// fresh returns those events that were not seen and are shown, oldest first.
func (f *follower) fresh(found []event) []event {
	var events []event
	for _, e := range slices.Backward(found) {
		if _, known := f.seen[e.ID]; known {
			continue
		}
		f.seen[e.ID] = e.Time
		if e.Time.After(f.newest) {
			f.newest = e.Time
		}
		if f.shows(&e) {
			events = append(events, e)
		}
	}
	return events
}

// shown counts the events that are for the reader's eyes.
func (f *follower) shown(events []event) int {
	n := 0
	for i := range events {
		if f.shows(&events[i]) {
			n++
		}
	}
	return n
}

// shows tells whether an event is for the reader's eyes.
func (f *follower) shows(e *event) bool {
	return f.all || e.Action != "audit:read" || e.Decision != "allow"
}

// forget drops the ids of events that no question reaches any more.
func (f *follower) forget() {
	horizon := f.horizon(f.reached())
	for id, t := range f.seen {
		if t.Before(horizon) {
			delete(f.seen, id)
		}
	}
}
