package proxy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/internal/authn"
)

// arrivals are the bodies of requests that are being read. The server reads a body before anybody is asked whether its sender
// may send one, and takes memory for all of it as soon as the header says how long it will be; so room for it is asked for
// between the two. The zero value is ready.
type arrivals struct {
	unknown tally        // bytes for callers who have not said who they are, all on one account
	open    atomic.Int64 // the length of claims

	mu     sync.Mutex // guards what follows
	claims map[*fasthttp.RequestHeader]*claim
	swept  int // the length of claims when those that are over were last looked for
}

// claim is the room that one body was given before it was read.
type claim struct {
	charge
	principal *authn.Principal // by the header; nil for an unknown caller
	short     bool             // it is less than the body may need
	until     time.Time        // when the body is there, or its connection is broken
}

// nobody is the owner of what is on the account of unknown callers.
var nobody [32]byte

// receive says how long the body may be of a request whose header has just been read. Short bodies, which nearly all are, cost a
// comparison. The others are on the account of the caller that the header names, else on that of all who are unknown.
func (s *Server) receive(hd *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	n := hd.ContentLength()
	if n <= freeBytes && n != chunked || n > s.s.MaxRequestBodySize { // the server refuses the last itself
		return c
	}
	got, ok := s.h.live.Load().claim(hd, n, s.s.ReadTimeout)
	switch {
	case !ok:
		c.MaxRequestBodySize = freeBytes
	case n == chunked:
		c.MaxRequestBodySize = min(freeBytes+got, s.s.MaxRequestBodySize)
	}
	return c
}

// chunked is the length of a body that does not tell it.
const chunked = -1

// claim asks for room for a body of n bytes, and returns how much it got. A body that does not tell its length gets room for
// the longest that is accepted, or half of what is left when that is little: there is always some for the next, and short ones
// need none.
func (h *Handler) claim(hd *fasthttp.RequestHeader, n int, patience time.Duration) (got int, ok bool) {
	now := h.o.Now()
	c := &claim{charge: charge{account: &h.arrivals.unknown, owner: nobody}, until: now.Add(patience)}
	limit := h.o.MaxArrivingBytes
	if c.principal = h.named(hd); c.principal != nil {
		c.account, c.owner, limit = &h.held, ownerOf(c.principal), h.o.MaxHeldBytes
	}
	take := func() {
		if n != chunked {
			if c.account.take(c.owner, n-freeBytes, limit) {
				c.n = n - freeBytes
			}
			return
		}
		c.n = c.account.takeSome(c.owner, h.o.MaxBody-freeBytes, limit)
	}
	if take(); c.n == 0 && h.arrivals.sweep(now) {
		take()
	}
	c.short = c.n < n-freeBytes || n == chunked && c.n < h.o.MaxBody-freeBytes
	h.arrivals.add(hd, c, now)
	return c.n, c.n > 0 || n == chunked
}

// named returns the principal of the credential in a header; nil without a valid one. Who is known by the connection alone is
// not known here.
func (h *Handler) named(hd *fasthttp.RequestHeader) *authn.Principal {
	defer func() { // the server would not survive it, and the request comes to the same place again
		if cause := recover(); cause != nil {
			h.o.Log.Error("panic while looking at a header", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
			h.metrics.panics.Inc()
		}
	}()
	c := authn.Credentials{Authorization: hd.Peek("Authorization"), APIKey: hd.Peek("X-API-Key")}
	if c.Authorization == nil && c.APIKey == nil {
		return nil
	}
	p, err := h.o.Authenticator.Authenticate(context.Background(), c)
	if err != nil {
		return nil // it is refused when the request is there
	}
	return p
}

// add remembers a claim until the request begins. The header is that of the connection, and all that the server tells of it.
func (a *arrivals) add(hd *fasthttp.RequestHeader, c *claim, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claims == nil {
		a.claims = map[*fasthttp.RequestHeader]*claim{}
	}
	a.dropLocked(hd) // of a request that was cut without a word
	a.claims[hd] = c
	if len(a.claims) > 2*a.swept+64 {
		a.sweepLocked(now)
	}
	a.open.Store(int64(len(a.claims)))
}

// begun returns the claim of a request that was read, or could not be read; nil when it has none.
func (a *arrivals) begun(hd *fasthttp.RequestHeader) *claim {
	if a.open.Load() == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.claims[hd]
	if c != nil {
		delete(a.claims, hd)
		a.open.Store(int64(len(a.claims)))
	}
	return c
}

// sweep gives back what was claimed for bodies that never came to an end that anybody was told of: a connection that breaks
// between two chunks is closed without a word. It reports whether there were any.
func (a *arrivals) sweep(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.claims)
	a.sweepLocked(now)
	a.open.Store(int64(len(a.claims)))
	return len(a.claims) < before
}

func (a *arrivals) sweepLocked(now time.Time) {
	for hd, c := range a.claims {
		if now.After(c.until) {
			a.dropLocked(hd)
		}
	}
	a.swept = len(a.claims)
}

func (a *arrivals) dropLocked(hd *fasthttp.RequestHeader) {
	if c := a.claims[hd]; c != nil {
		_ = c.Close() // it returns nil
		delete(a.claims, hd)
	}
}

// arrived ends the claim of a request whose body is on its principal's account from now on, or no longer needed.
func (x *Exchange) arrived() {
	if x.claim != nil {
		_ = x.claim.Close() // it returns nil
		x.claim = nil
	}
}

// crowded is the problem of a body that was not read since there was no room for it; nil when it was not read for another reason.
func (h *Handler) crowded(x *Exchange, err error) *Problem {
	if x.claim == nil || !x.claim.short || !errors.Is(err, fasthttp.ErrBodyTooLarge) {
		return nil
	}
	if n := x.ctx.Request.Header.ContentLength(); n > h.o.MaxBody {
		return nil // there never will be room
	}
	x.skip()
	if x.Principal = x.claim.principal; x.Principal != nil {
		p := h.overheld()
		p.Close, p.Cause = true, err
		return p
	}
	h.metrics.crowded.Inc()
	return &Problem{
		Status: 503, Rule: "arriving_bytes", Reason: "too many large requests are arriving", Retry: time.Second, Close: true,
		Cause: fmt.Errorf("proxy.max_arriving_bytes: %w", err),
	}
}

// lull is how long the sender of a body may be silent before it counts as having sent all of it.
const lull = 100 * time.Millisecond

// skipLimit is how long what is left of a body is read that is not wanted.
const skipLimit = 10 * time.Second

// skip reads on what comes of a body that is not wanted, and keeps none of it: a connection that is closed while its peer sends is
// reset, and the reply may be lost with it (RFC 9112 section 9.6). Some of the body is in the server's buffer, so where it ends is
// not known, but when the sender waits for the reply.
func (x *Exchange) skip() {
	conn, most := x.ctx.Conn(), 4*x.h.o.MaxBody
	buf, end := make([]byte, 4<<10), time.Now().Add(skipLimit)
	for most > 0 {
		deadline := time.Now().Add(lull)
		if deadline.After(end) || conn.SetReadDeadline(deadline) != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		most -= n
	}
}
