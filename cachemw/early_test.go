package cachemw_test

import (
	"testing"
	"time"

	"sark/cachemw"
)

func TestRefreshEarly(t *testing.T) {
	e := cachemw.Entry{Stored: noon, TTL: time.Minute}
	const e1 = 0.36787944117144233 // 1/e: exactly cost x beta ahead
	for _, c := range []struct {
		name         string
		age, cost    time.Duration
		beta, random float64
		want         bool
	}{
		{"young", 0, time.Second, 1, 0.5, false},
		{"just before cost", 58900 * time.Millisecond, time.Second, 1, e1, false},
		{"just after cost", 59100 * time.Millisecond, time.Second, 1, e1, true},
		{"dearer", 51 * time.Second, 10 * time.Second, 1, e1, true},
		{"more eager", 51 * time.Second, time.Second, 10, e1, true},
		{"lucky draw", 59 * time.Second, time.Second, 1, 1, false},
		{"never eager", 59 * time.Second, time.Hour, 0, 0.0001, false},
		{"free", 59 * time.Second, 0, 1, 0.0001, false},
		{"stale", time.Minute, time.Second, 1, 1, true},
		{"stale and never eager", time.Minute, time.Second, 0, 1, true},
		{"draw out of range", 59 * time.Second, time.Second, 1, 0, false},
	} {
		if got := cachemw.RefreshEarly(e, noon.Add(c.age), c.cost, c.beta, c.random); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
