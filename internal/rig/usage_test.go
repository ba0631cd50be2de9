package rig_test

import (
	"testing"
	"time"

	"sark/internal/rig"
)

func TestParseCPU(t *testing.T) {
	for _, c := range []struct {
		name, stat string
		want       time.Duration
		ok         bool
	}{
		{"plain", "812 (sark) S 1 812 812 0 -1 4194560 900 0 3 0 250 75 0 0 20 0 9 0 1", 3250 * time.Millisecond, true},
		{"hostile name", "812 (a) 9 (b) S 1 812 812 0 -1 4194560 900 0 3 0 1 2 0 0 20 0 9 0 1", 30 * time.Millisecond, true},
		{"cut short", "812 (sark) S 1 812 812 0 -1", 0, false},
		{"no name", "812", 0, false},
		{"not a number", "812 (sark) S 1 812 812 0 -1 4194560 900 0 3 0 x 75 0", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rig.ParseCPU([]byte(c.stat))
			if got != c.want || (err == nil) != c.ok {
				t.Errorf("ParseCPU = %v, %v; want %v and ok %v", got, err, c.want, c.ok)
			}
		})
	}
}

func TestParseRSS(t *testing.T) {
	for _, c := range []struct {
		name, status string
		want         int64
		ok           bool
	}{
		{"plain", "Name:\tsark\nVmHWM:\t  30000 kB\nVmRSS:\t  24680 kB\nRssAnon:\t 1 kB\n", 24680 << 10, true},
		{"zombie", "Name:\tsark\nState:\tZ (zombie)\n", 0, false},
		{"not a number", "VmRSS:\tmany kB\n", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rig.ParseRSS([]byte(c.status))
			if got != c.want || (err == nil) != c.ok {
				t.Errorf("ParseRSS = %v, %v; want %v and ok %v", got, err, c.want, c.ok)
			}
		})
	}
}

func TestUsageOfALiveChild(t *testing.T) {
	p := start(t, "exec tail -f /dev/null")
	rss, err := p.RSS()
	if err != nil || rss <= 0 {
		t.Errorf("RSS = %d, %v; want a positive size", rss, err)
	}
	if _, err := p.CPU(); err != nil {
		t.Errorf("CPU: %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.CPU(); err == nil {
		t.Error("CPU of a process that is gone was read")
	}
}

func TestSumCounter(t *testing.T) {
	const scrape = `# TYPE sark_cachemw_lookups_total counter
sark_cachemw_lookups_total{layer="l1",result="hit"} 3
sark_cachemw_lookups_total{layer="l2",result="hit"} 4
sark_cachemw_lookups_total{layer="l1",result="miss"} 100
`
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   float64
	}{
		{"sark_cachemw_lookups_total", map[string]string{"result": "hit"}, 7},
		{"sark_cachemw_lookups_total", map[string]string{"result": "hit", "layer": "l2"}, 4},
		{"sark_cachemw_lookups_total", map[string]string{"verdict": "hit"}, 0},
		{"sark_cachemw_lookups_total", nil, 107},
		{"sark_other_total", nil, 0},
	} {
		got, err := rig.SumCounter([]byte(scrape), c.name, c.labels)
		if err != nil || got != c.want {
			t.Errorf("SumCounter(%s, %v) = %v, %v; want %v", c.name, c.labels, got, err, c.want)
		}
	}
	if _, err := rig.SumCounter([]byte("not metrics"), "x", nil); err == nil {
		t.Error("a broken scrape was read")
	}
}
