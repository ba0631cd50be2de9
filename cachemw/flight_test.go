package cachemw_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
)

// alice and bob are two partitions.
var (
	alice = [32]byte{1}
	bob   = [32]byte{2}
)

// TestFlightShares: one leads, the others get its answer, each of the partitions that may.
func TestFlightShares(t *testing.T) {
	for name, c := range map[string]struct {
		scope cachemw.Scope
		ok    bool
		want  map[string]bool
	}{
		"public":          {cachemw.Public, true, map[string]bool{"alice": true, "bob": true}},
		"private":         {cachemw.Private, true, map[string]bool{"alice": true, "bob": false}},
		"errors are not":  {cachemw.Public, false, map[string]bool{"alice": false, "bob": false}},
		"nothing to give": {"", false, map[string]bool{"alice": false, "bob": false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var flights cachemw.Flights
				leader := flights.Join(cachemw.Key{1}, 1, alice)
				var mu sync.Mutex
				got := map[string]bool{}
				var wg sync.WaitGroup
				for who, partition := range map[string][32]byte{"alice": alice, "bob": bob} {
					f := flights.Join(cachemw.Key{1}, 1, partition)
					if f.Leads() {
						t.Fatal("there are two leaders")
					}
					wg.Go(func() {
						defer f.Leave()
						<-f.Landed()
						e, ok := f.Entry()
						mu.Lock()
						defer mu.Unlock()
						if got[who] = ok; ok && string(e.Body) != "answer" {
							t.Errorf("%s got %q", who, e.Body)
						}
					})
				}
				synctest.Wait()
				body := []byte("answer")
				leader.Land(cachemw.Entry{Body: body, Scope: c.scope}, c.ok)
				copy(body, "xxxxxx") // the leader's buffer is used anew
				leader.Land(cachemw.Entry{Body: []byte("again"), Scope: cachemw.Public}, true)
				wg.Wait()
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("who got it (-want +got):\n%s", diff)
				}
				if next := flights.Join(cachemw.Key{1}, 1, alice); !next.Leads() {
					t.Error("a flight that has landed was joined")
				}
			})
		})
	}
}

// TestFlightsAreApart: another question, and the same one after an invalidation, go upstream themselves.
func TestFlightsAreApart(t *testing.T) {
	var flights cachemw.Flights
	for _, f := range []*cachemw.Flight{
		flights.Join(cachemw.Key{1}, 1, alice), flights.Join(cachemw.Key{2}, 1, alice), flights.Join(cachemw.Key{1}, 2, alice),
	} {
		if !f.Leads() {
			t.Error("two questions share a flight")
		}
		f.Land(cachemw.Entry{}, false)
	}
}

// TestFlightIsWanted as long as a follower waits.
func TestFlightIsWanted(t *testing.T) {
	var flights cachemw.Flights
	leader := flights.Join(cachemw.Key{1}, 1, alice)
	follower := flights.Join(cachemw.Key{1}, 1, bob)
	got := []bool{leader.Wanted()}
	follower.Leave()
	follower.Leave()
	got = append(got, leader.Wanted())
	if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
		t.Errorf("wanted (-want +got):\n%s", diff)
	}
	leader.Land(cachemw.Entry{}, false)
}

func TestFollowerCannotLand(t *testing.T) {
	var flights cachemw.Flights
	defer flights.Join(cachemw.Key{1}, 1, alice).Land(cachemw.Entry{}, false)
	defer func() {
		if recover() == nil {
			t.Error("a follower landed a flight")
		}
	}()
	flights.Join(cachemw.Key{1}, 1, alice).Land(cachemw.Entry{}, true)
}
