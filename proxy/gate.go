package proxy

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
)

// gate admits so many requests at once. One more waits for its turn, first come, first served, and is turned away when nobody
// has left for it in time; no more may wait than are admitted. The zero value is ready.
type gate struct {
	admitted atomic.Int64
	waiting  atomic.Int64 // the length of queue

	mu    sync.Mutex // guards queue
	queue list.List  // of chan struct{}, closed to let its owner in
}

// enter reports whether a request may go on, after waiting if need be. Then its owner calls leave with the same limit.
func (g *gate) enter(limit int, wait time.Duration) bool {
	if g.waiting.Load() == 0 && g.take(limit) {
		return true
	}
	turn := make(chan struct{})
	place := g.join(turn, limit)
	if place == nil {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
		return g.give(place, turn)
	}
}

// leave makes room for another request.
func (g *gate) leave(limit int) {
	g.admitted.Add(-1)
	if g.waiting.Load() > 0 { // who joins after this look sees the room itself
		g.mu.Lock()
		g.letInLocked(limit)
		g.mu.Unlock()
	}
}

// take takes a place if there is one.
func (g *gate) take(limit int) bool {
	for n := g.admitted.Load(); n < int64(limit); n = g.admitted.Load() {
		if g.admitted.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// join puts a request at the end of the queue; nil says that too many wait.
func (g *gate) join(turn chan struct{}, limit int) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue.Len() >= limit {
		return nil
	}
	place := g.queue.PushBack(turn)
	g.waiting.Add(1)
	g.letInLocked(limit)
	return place
}

// give gives a place in the queue up, and reports whether its turn has come at the last moment.
func (g *gate) give(place *list.Element, turn <-chan struct{}) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn:
		return true
	default:
		g.queue.Remove(place)
		g.waiting.Add(-1)
		return false
	}
}

// letInLocked lets those in who wait, as far as there is room.
func (g *gate) letInLocked(limit int) {
	for g.queue.Len() > 0 && g.take(limit) {
		close(g.queue.Remove(g.queue.Front()).(chan struct{}))
		g.waiting.Add(-1)
	}
}
