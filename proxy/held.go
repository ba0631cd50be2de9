package proxy

import (
	"errors"
	"io"
	"time"
)

// freeBytes is how much of its bodies an exchange may hold without being charged for it. Most hold less, and pay a comparison.
const freeBytes = 64 << 10

// errHeld is why a stream ends whose principal holds too much.
var errHeld = errors.New("too many bytes are held for the caller")

// charge is what one exchange holds above freeBytes, on the account of its principal.
type charge struct {
	account *tally
	owner   [32]byte
	n       int
}

// Close implements io.Closer for fasthttp, which closes the values of a request when it is through with it: when the reply was
// written or the client left, and after a panic. A reply in memory outlives its exchange until then.
func (c *charge) Close() error {
	c.account.give(c.owner, c.n)
	c.n = 0
	return nil
}

// chargeKey is the key of an exchange's charge among the values of its request.
type chargeKey struct{}

// hold says that an exchange holds n bytes in all from now on: of its request, of what it read of the reply, and of what
// it made of that. It returns false, and changes nothing, when its principal may not hold as many. Memory is asked for here
// before it is filled.
func (x *Exchange) hold(n int) bool {
	if n <= freeBytes && x.charge == nil {
		return true
	}
	return x.recharge(max(n-freeBytes, 0))
}

// recharge changes what the exchange is charged with. Nobody is charged with replies that are served to anybody.
func (x *Exchange) recharge(n int) bool {
	if x.Principal == nil {
		return true
	}
	c := x.charge
	if c == nil {
		c = &charge{account: &x.h.held, owner: x.owner()}
	}
	if n > c.n && !c.account.take(c.owner, n-c.n, x.h.o.MaxHeldBytes) {
		return false
	}
	if n < c.n {
		c.account.give(c.owner, c.n-n)
	}
	c.n = n
	if x.charge == nil {
		x.charge = c
		x.ctx.SetUserValue(chargeKey{}, c)
	}
	return true
}

// bodyIn is how many bytes of the request are held. A message of a batch is part of the batch.
func (x *Exchange) bodyIn() int {
	if x.part != nil {
		return 0
	}
	return len(x.ctx.Request.Body())
}

// overheld is the problem of an exchange that would hold more than its principal may.
func (h *Handler) overheld() *Problem {
	h.metrics.overheld.Inc()
	return &Problem{Status: 503, Rule: "held_bytes", Reason: errHeld.Error(), Retry: time.Second}
}

// weigh refuses a reply in memory that is more than its principal may hold: the client may take its time to read it.
func (h *Handler) weigh(x *Exchange) {
	if x.problem == nil && !x.hold(x.bodyIn()+len(x.ctx.Response.Body())) {
		x.refuse(h.overheld())
	}
}

// readAll reads a reply of at most limit bytes, and one byte of a longer one. length is what the reply says, negative when it
// does not. The error is errHeld when the principal may not hold as much.
func (x *Exchange) readAll(r io.Reader, length, limit int) ([]byte, error) {
	const least = 4 << 10
	room := least
	if length >= 0 {
		room = min(length, limit) + 1 // so that the end is seen without more room
	}
	var b []byte
	for {
		if len(b) == cap(b) {
			if !x.hold(x.bodyIn() + room) {
				return nil, errHeld
			}
			larger := make([]byte, room)
			copy(larger, b)
			b = larger[:len(b)]
			room = min(2*room, limit+1)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF), err == nil && len(b) > limit:
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}
