package proxy

import (
	"testing"

	"github.com/valyala/fasthttp"

	"sark/internal/authn"
)

// FuzzHeld is inside the package because no client can choose what an exchange holds at each moment. Each byte changes what one
// of six exchanges of two principals holds, or ends it: what is charged is what they hold above the free part, never more than
// a principal may have, and nothing in the end.
func FuzzHeld(f *testing.F) {
	f.Add([]byte{0x01, 0x41, 0x00, 0x0f, 0x4f, 0x8f, 0xcf, 0x10, 0x1f})
	f.Add([]byte{0x0e, 0x0f, 0x0e, 0x0f, 0x4e, 0x4f, 0x00})
	f.Fuzz(func(t *testing.T, ops []byte) {
		const limit, unit = 10 * freeBytes, freeBytes * 3 / 4
		h := &Handler{shared: &shared{}, o: Options{MaxHeldBytes: limit}}
		var all [6]*Exchange
		var holds [6]int
		owner := func(i int) int { return i % 2 }
		begin := func(i int) {
			all[i] = &Exchange{h: h, ctx: new(fasthttp.RequestCtx), Principal: &authn.Principal{ID: string(rune('a' + owner(i)))}}
			holds[i] = 0
		}
		charged := func(who int) (n int) {
			for i, held := range holds {
				if owner(i) == who {
					n += max(held-freeBytes, 0)
				}
			}
			return n
		}
		for i := range all {
			begin(i)
		}
		for _, op := range ops {
			i, n := int(op>>4)%len(all), int(op&15)*unit
			before := holds[i]
			holds[i] = n
			fits := charged(owner(i)) <= limit || n <= before
			switch {
			case op&15 == 0: // as the server ends it, twice as for a connection that breaks
				all[i].ctx.Request.Reset()
				all[i].ctx.Request.Reset()
				begin(i)
			case all[i].hold(n) != fits:
				t.Fatalf("exchange %d goes from %d to %d: refused %t", i, before, n, fits)
			case !fits:
				holds[i] = before
			}
			if got, want := h.held.total(), charged(0)+charged(1); got != want {
				t.Fatalf("%d bytes are charged, want %d", got, want)
			}
		}
		for _, x := range all {
			x.ctx.Request.Reset()
		}
		if n := h.held.total(); n != 0 || len(h.held.n) != 0 {
			t.Fatalf("%d bytes of %d principals stay charged", n, len(h.held.n))
		}
	})
}
