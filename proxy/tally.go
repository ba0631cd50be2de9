package proxy

import "sync"

// tally counts something for each principal. The zero value is ready.
type tally struct {
	mu  sync.Mutex // guards n and sum
	n   map[[32]byte]int
	sum int
}

// take counts n more for owner, unless these are more than limit then.
func (t *tally) take(owner [32]byte, n, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[owner]+n > limit {
		return false
	}
	t.addLocked(owner, n)
	return true
}

// takeSome counts n more for owner, or half of what is left when little would remain of limit, and returns what it counted: it
// never takes all.
func (t *tally) takeSome(owner [32]byte, n, limit int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := limit - t.n[owner]; left-n < limit/8 {
		n = min(n, left/2)
	}
	if n <= 0 {
		return 0
	}
	t.addLocked(owner, n)
	return n
}

func (t *tally) addLocked(owner [32]byte, n int) {
	if t.n == nil {
		t.n = map[[32]byte]int{}
	}
	t.n[owner] += n
	t.sum += n
}

// give takes n of owner away.
func (t *tally) give(owner [32]byte, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum -= n
	if t.n[owner] -= n; t.n[owner] <= 0 {
		delete(t.n, owner)
	}
}

// total is the count of all principals together.
func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}
