package proxy

import (
	"sync"
	"time"

	"sark/cachemw"
)

const (
	// glance is how often a request that waits for another's answer looks whether its client is still there.
	glance = 100 * time.Millisecond
	// localPatience is how long a request waits for another's answer of the management API.
	localPatience = 5 * time.Second
)

// fly joins the flight for what is not in the cache. The one that leads goes on; another waits, and has an answer when it
// returns true. It forwards by itself when the flight brought none or took too long.
func (h *Handler) fly(x *Exchange) bool {
	c := &x.cache
	key := c.private
	switch h.habits.of(c.name, c.class).last {
	case sharedNone:
		return false
	case sharedPrivate:
	case sharedUnknown, sharedPublic:
		if c.shares {
			key = c.public
		}
	}
	f := h.flights.Join(key, c.generation, c.partition)
	if f.Leads() {
		c.flight = f
		return false
	}
	defer f.Leave()
	if !h.awaitFlight(x, f) {
		return x.problem != nil
	}
	if c.plain != nil { // what it may get depends on its own fields
		return h.landedPlain(x)
	}
	e, ok := f.Entry() // which may be one from before an invalidation
	if ttl := x.Decision.Obligations.CacheTTL; !ok || ttl == 0 || h.o.Cache.Generation(c.name) != c.generation {
		return false
	}
	c.entry, c.collapsed = e, true
	return x.serve(h.o.Now())
}

// awaitFlight waits until a flight has landed. It reports false when the request's own time is over, or when it is to end.
func (h *Handler) awaitFlight(x *Exchange, f *cachemw.Flight) bool {
	patience := localPatience
	if s := x.target.server; s != nil && s.upstream != nil {
		patience = s.upstream.transport.firstByte
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-f.Landed():
			return true
		case <-deadline.C:
			return false
		case now := <-tick.C:
			if x.look(now) != nil {
				x.refuse(x.leaving())
				return false
			}
		}
	}
}

// awaited reports whether other requests wait for the answer to this one: then it is fetched even for a client that left.
func (x *Exchange) awaited() bool { return x.cache.flight != nil && x.cache.flight.Wanted() }

// land gives those that wait the answer, or tells them that there is none to share.
func (h *Handler) land(x *Exchange, e cachemw.Entry, ok bool) {
	if x.cache.flight != nil {
		x.cache.flight.Land(e, ok)
		x.cache.flight = nil
	}
}

// habit is what the answers of a kind were like. Waiting for another's answer is worth it only where it can be shared, and
// looking for a kept one only where there may be one.
type habit struct {
	last sharing
	kept sharing // of the last one that was kept
	both bool    // private ones and public ones were kept
}

// sharing is who may have an answer.
type sharing uint8

const (
	sharedUnknown sharing = iota
	sharedNone            // it is not kept
	sharedPrivate
	sharedPublic
)

// after is the habit after one more answer.
func (b habit) after(is sharing) habit {
	if is == sharedNone {
		return habit{is, b.kept, b.both}
	}
	return habit{is, is, b.both || b.kept != sharedUnknown && b.kept != is}
}

// habits are those of each server and class of request.
type habits struct {
	mu sync.RWMutex
	by map[[2]string]habit // guarded by mu; bounded like the statistics
}

func (s *habits) of(server, class string) habit {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.by[[2]string{server, class}]
}

func (s *habits) note(server, class string, is sharing) {
	if s.of(server, class).last == is {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[[2]string]habit{}
	}
	k := [2]string{server, class}
	s.by[k] = s.by[k].after(is)
}

// sharingOf is that of an entry of this scope.
func sharingOf(scope cachemw.Scope) sharing {
	if scope == cachemw.Public {
		return sharedPublic
	}
	return sharedPrivate
}
