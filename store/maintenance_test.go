package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/storetest"
)

// counting is a keeper with hours that are always dirty, and a clock that runs while it counts.
type counting struct {
	now   time.Time
	takes map[time.Time]time.Duration // to count an hour
	hours []time.Time                 // that were counted
}

func (k *counting) Prepare(context.Context) (int, error) { return 0, nil }

func (k *counting) Expire(context.Context, store.RetentionMark) (store.Removed, error) {
	return store.Removed{}, nil
}

func (k *counting) DirtyHours(context.Context, int) ([]time.Time, error) {
	return []time.Time{storetest.Epoch, storetest.Epoch.Add(time.Hour)}, nil
}

func (k *counting) Recount(_ context.Context, hour time.Time) error {
	k.now = k.now.Add(k.takes[hour])
	k.hours = append(k.hours, hour)
	return nil
}

// TestRecountRests counts an hour that takes ten seconds each 200 seconds, and one that takes nothing in each round.
func TestRecountRests(t *testing.T) {
	long, short := storetest.Epoch, storetest.Epoch.Add(time.Hour)
	k := &counting{now: storetest.Epoch.Add(2 * time.Hour), takes: map[time.Time]time.Duration{long: 10 * time.Second}}
	m, err := store.NewMaintenance(store.MaintenanceOptions{Keeper: k, Log: zap.NewNop(), Now: func() time.Time { return k.now }})
	check(t, err)
	for range 6 { // minutes: the fifth round is the first after the rest of the first
		m.Round(t.Context())
		k.now = k.now.Add(time.Minute)
	}
	want := []time.Time{long, short, short, short, short, long, short, short}
	if diff := cmp.Diff(want, k.hours); diff != "" {
		t.Errorf("hours that were counted (-want +got):\n%s", diff)
	}
}
