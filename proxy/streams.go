package proxy

import (
	"sync"
	"time"
)

// openStreams counts the streams of each principal that would never end by themselves. The zero value is ready.
type openStreams struct {
	mu sync.Mutex // guards n
	n  map[[32]byte]int
}

// take counts one more stream of owner, unless it has limit of them.
func (s *openStreams) take(owner [32]byte, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[owner] >= limit {
		return false
	}
	if s.n == nil {
		s.n = map[[32]byte]int{}
	}
	s.n[owner]++
	return true
}

// give ends one stream of owner.
func (s *openStreams) give(owner [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[owner]--; s.n[owner] <= 0 {
		delete(s.n, owner)
	}
}

// room refuses one more lasting stream to a caller who has as many as one may have: each holds a connection on both sides.
func (h *Handler) room(x *Exchange) bool {
	if !x.longLived() {
		return true
	}
	owner := x.owner()
	if !h.streams.take(owner, h.o.MaxStreams) {
		return x.refuse(&Problem{Status: 429, Rule: "streams", Reason: "too many streams are open", Retry: 10 * time.Second})
	}
	x.counted = true
	return true
}
