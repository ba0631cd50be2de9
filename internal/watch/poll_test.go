package watch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/watch"
)

// TestPoll shows a file one look after the other, and notes of which looks something came.
func TestPoll(t *testing.T) {
	tests := []struct {
		name  string
		looks string // what each look sees, as one letter; "a" is known
		read  func(seen string) string
		want  []string
	}{
		{"nothing changes", "aaaa", nil, nil},
		{"a change counts at the second look", "abbb", nil, []string{"b"}},
		{"what changes all the time waits", "abcdefg", nil, nil},
		{"a change that is taken back was none", "abaa", nil, nil},
		{"back again is a change", "abbaa", nil, []string{"b", "a"}},
		{"one after the other", "bbcc", nil, []string{"b", "c"}},
		{"what was read was something else than what is there", "bbbcc", func(string) string { return "c" }, []string{"b", "b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				looks, got := 0, []string(nil)
				watch.Poll(ctx, time.Second, "a",
					func() string {
						looks++
						if looks == len(test.looks) {
							cancel()
						}
						return test.looks[looks-1 : looks]
					},
					func(now string) string {
						got = append(got, now)
						if test.read != nil {
							return test.read(now)
						}
						return now
					})
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("changes (-want +got):\n%s", d)
				}
			})
		})
	}
}
