package proxy

import (
	"bytes"
	"testing"
)

// FuzzHops is inside the package because a trusted peer's list is read before anything of it can be seen from outside. It
// holds that only trusted addresses stand before the last one, that no entry is left out in between, and that nobody but
// the last trusted proxy decides: what a client writes before its own address changes nothing.
func FuzzHops(f *testing.F) {
	for _, seed := range []string{
		"203.0.113.7", "203.0.113.7, 10.1.2.3", "10.1.1.1,10.2.2.2", " , 203.0.113.7,, ,", "[2001:db8::1]:80, ::ffff:10.1.2.3", "unknown, 10.1.2.3", "[", "10.1.2.3%eth0",
	} {
		f.Add([]byte(seed), []byte("127.0.0.1"))
	}
	trust, err := newTrustedProxies([]string{"10.0.0.0/8", "2001:db8::/32"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, list, invented []byte) {
		hops := trust.hops(nil, [][]byte{list})
		if len(hops) > maxHops {
			t.Fatalf("%d hops", len(hops))
		}
		for i, hop := range hops {
			if hop != hop.Unmap().WithZone("") || !hop.IsValid() {
				t.Fatalf("hop %v has several spellings", hop)
			}
			if i < len(hops)-1 && !trust.holds(hop) {
				t.Fatalf("%v was believed: %v", hop, hops)
			}
		}
		if len(hops) == 0 || trust.holds(hops[len(hops)-1]) {
			return
		}
		again := trust.hops(nil, [][]byte{invented, bytes.Join([][]byte{invented, list}, []byte(","))})
		if len(again) != len(hops) || again[len(again)-1] != hops[len(hops)-1] {
			t.Fatalf("%q before %q makes %v of %v", invented, list, again, hops)
		}
	})
}
