package cli_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
	"sark/internal/cli"
)

// TestFollower adds events at odd times to the trail of a real gateway, under a clock that the test moves.
func TestFollower(t *testing.T) {
	const overlap = 30 * time.Second
	dir := dataDir(t)
	g := startGateway(t, dir)
	trail, begin := openTrail(t, dir), time.Now()
	clock := begin
	at := func(user string, offset time.Duration) audit.Event {
		return invoked(begin.Add(offset), user, "run_report", "allow", "")
	}
	trail.add(t, at("old", -100*time.Second), at("first", -5*time.Second), at("second", -time.Second))
	f := cli.NewFollower(filepath.Join(dir, "api.sock"), overlap, func() time.Time { return clock })
	t.Cleanup(f.Close)
	var got [][]string
	next := func() {
		t.Helper()
		users, err := f.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, users)
	}

	users, err := f.Start(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, users)
	trail.add(t, at("slow", -20*time.Second), at("lost", -50*time.Second), at("third", time.Millisecond))
	clock = begin.Add(time.Second)
	next()
	clock = begin.Add(11 * time.Second)
	next() // reaches back over the whole overlap
	trail.add(t, at("future", time.Hour))
	next()
	trail.add(t, at("present", 11*time.Second))
	next() // the future must not hide the present
	g.end(t)
	if users, err := f.Next(t.Context()); err == nil {
		t.Errorf("a gateway that was stopped gave %v", users)
	}
	trail.add(t, at("meanwhile", -15*time.Second))
	startGateway(t, dir)
	next() // reaches back over the whole overlap again, after the error
	clock = begin.Add(2 * time.Hour)
	next()

	want := [][]string{{"first", "second"}, {"third"}, {"slow"}, {"future"}, {"present"}, {"meanwhile"}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users of the events (-want +got):\n%s", diff)
	}
	if n := f.Remembered(); n > 3 {
		t.Errorf("%d ids are remembered when the overlap has passed", n)
	}
}

// TestMayCreate keeps root from leaving a database that the gateway's user cannot open.
func TestMayCreate(t *testing.T) {
	dir, me := t.TempDir(), os.Geteuid()
	for name, test := range map[string]struct {
		dir  string
		user int
		want bool
	}{
		"owner":            {dir, me, true},
		"somebody else":    {dir, me + 1, false},
		"no directory yet": {filepath.Join(dir, "new"), me + 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := cli.MayCreate(test.dir, test.user); (err == nil) != test.want {
				t.Errorf("may create: %v, want %v", err, test.want)
			}
		})
	}
}
