package store

import "sark/internal/audit"

// chainCheck follows the hashes of a writer's events. After an event that does not fit it goes on with what the next event
// might follow, so that one change is one doubt and not one about every later event.
type chainCheck struct {
	link  *audit.Link
	heads [][32]byte // what the next event may follow: first the hash that stands there, then the one that should; empty: unknown
	open  *doubt     // about the event before, which the next one may settle
	twin  *doubt     // about the event before that, when the event between did not follow it
	early [32]byte   // the hash in the row of twin
}

func newChainCheck() *chainCheck { return &chainCheck{link: audit.NewLink()} }

// expect says which hash the next event follows.
func (c *chainCheck) expect(head [32]byte) {
	c.heads, c.open, c.twin = append(c.heads[:0], head), nil, nil
}

// lose says that the event before the next one is not known.
func (c *chainCheck) lose() { c.heads, c.open, c.twin = c.heads[:0], nil, nil }

// fits reports whether a tuple follows the event before.
func (c *chainCheck) fits(tuple []byte) bool {
	_, _, sum, err := audit.Place(tuple)
	if err != nil {
		return false
	}
	for _, head := range c.heads {
		if c.link.Hash(head, tuple) == sum {
			return true
		}
	}
	return false
}

// next takes in the next event, whose hash stands in its row as sum, and returns a doubt about it, or nil.
func (c *chainCheck) next(seq int64, tuple []byte, sum [32]byte) *doubt {
	if len(c.heads) == 0 {
		c.expect(sum)
		return nil
	}
	due := c.link.Hash(c.heads[0], tuple)
	switch {
	case due == sum:
		if c.open != nil {
			c.open.next = nextFollowsRow
		}
	case c.open != nil:
		c.settle(tuple, sum)
		return nil
	case c.twin != nil && c.link.Hash(c.early, tuple) == sum:
		c.twin.next, c.twin.last = nextFollowsTwin, seq-1
	default:
		c.open, c.twin = &doubt{kind: doubtChain, first: seq, last: seq}, nil
		c.heads = append(c.heads[:0], sum, due)
		return c.open
	}
	c.expect(sum)
	return nil
}

// settle finds out what the event after a doubtful one follows, when it is not the hash that stands there.
func (c *chainCheck) settle(tuple []byte, sum [32]byte) {
	if c.link.Hash(c.heads[1], tuple) == sum {
		c.open.next = nextFollowsColumns
		c.expect(sum)
		return
	}
	c.open.next = nextFollowsNeither
	twin, early := c.open, c.heads[0]
	c.expect(sum)
	c.twin, c.early = twin, early
}
