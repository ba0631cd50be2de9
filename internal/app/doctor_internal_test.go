package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/configs"
)

// TestDoctorClock: no server here has another clock than this host, so what the doctor makes of one is tested inside.
func TestDoctorClock(t *testing.T) {
	now := time.Now()
	d := &doctor{c: &configs.Config{}}
	for _, apart := range []time.Duration{0, -time.Second, 2 * time.Second, -30 * time.Second, 31 * time.Second, -time.Hour} {
		d.clocks = append(d.clocks, clockReading{"redis", "redis.url", now.Add(apart), now})
	}

	d.clock()

	var got []string
	for _, f := range d.found {
		got = append(got, f.Verdict+" "+f.Finding)
	}
	if diff := cmp.Diff([]string{
		"ok that of redis is 0s from this host's",
		"ok that of redis is -1s from this host's",
		"warn that of redis is 2s from this host's",
		"warn that of redis is -30s from this host's",
		"fail that of redis is 31s from this host's",
		"fail that of redis is -1h0m0s from this host's",
	}, got); diff != "" {
		t.Errorf("clocks (-want +got):\n%s", diff)
	}
}
