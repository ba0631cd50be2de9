package cachemw

import (
	"context"
	"sync"
)

// Flights lets one request of several that ask the same question at the same time go upstream, and the others wait for its
// answer. The zero value is ready. It is a meeting point rather than a loader, because an answer may be streamed:
//
//	f, ctx := flights.Join(ctx, key, generation)
//	if !f.Leads() {
//		defer f.Leave()
//		if e, ok := f.Wait(ctx); ok { … serve e … }
//		… forward as if there were no flight: errors are not shared …
//	}
//	defer f.Land(Entry{}, false)
//	… forward with ctx, call f.Leave as soon as the own client is gone, and f.Land with the answer …
type Flights struct {
	mu      sync.Mutex
	flights map[question]*flight // guarded by mu
}

// question is what a flight is about. The generation keeps a request that came after an invalidation from being answered by
// a flight that began before it.
type question struct {
	key        Key
	generation uint64
}

// flight is one request upstream and those who wait for it.
type flight struct {
	cancel  context.CancelFunc
	landed  chan struct{} // closed by Land
	waiting int           // guarded by Flights.mu; members that have not left
	entry   Entry         // set before landed is closed
	ok      bool
}

// Flight is one request's seat in a flight. Its methods must be called by that request alone, Leave excepted, which any
// goroutine may call.
type Flight struct {
	flights  *Flights
	question question
	flight   *flight
	leads    bool
	left     sync.Once
}

// Join joins the flight for a key and generation (see Cache.Generation), or begins one. The leader gets a context of the
// flight, with the values of ctx but neither its deadline nor its end: it ends when every member has left, or when the
// flight has landed. The others get their own ctx back.
func (s *Flights) Join(ctx context.Context, key Key, generation uint64) (*Flight, context.Context) {
	q := question{key, generation}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[q]; f != nil {
		f.waiting++
		return &Flight{flights: s, question: q, flight: f}, ctx
	}
	flying, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{cancel: cancel, landed: make(chan struct{}), waiting: 1}
	if s.flights == nil {
		s.flights = map[question]*flight{}
	}
	s.flights[q] = f
	return &Flight{flights: s, question: q, flight: f, leads: true}, flying
}

// Leads reports whether this request is the one that goes upstream.
func (f *Flight) Leads() bool { return f.leads }

// Wait waits for the answer until ctx is done. It reports false when there is none to share: the leader failed, its answer
// was not storable, or ctx was done first.
func (f *Flight) Wait(ctx context.Context) (Entry, bool) {
	select {
	case <-f.flight.landed:
		return f.flight.entry, f.flight.ok
	default:
	}
	select {
	case <-f.flight.landed:
		return f.flight.entry, f.flight.ok
	case <-ctx.Done():
		return Entry{}, false
	}
}

// Land ends the flight. With ok those who wait get the entry, which must not be changed any more; otherwise each is on its
// own. Only the leader may call it; calls after the first do nothing. It leaves, too.
func (f *Flight) Land(e Entry, ok bool) {
	if !f.leads {
		panic("BUG: a follower landed a flight")
	}
	s := f.flights
	s.mu.Lock()
	select {
	case <-f.flight.landed:
	default:
		f.flight.entry, f.flight.ok = e, ok
		close(f.flight.landed)
		s.removeLocked(f.question, f.flight)
	}
	s.mu.Unlock()
	f.Leave()
}

// Leave gives up this request's interest in the answer. When the last member leaves, the leader's context ends and the
// flight is over: who comes next begins another. Calls after the first do nothing.
func (f *Flight) Leave() {
	f.left.Do(func() {
		s := f.flights
		s.mu.Lock()
		defer s.mu.Unlock()
		f.flight.waiting--
		if f.flight.waiting == 0 {
			s.removeLocked(f.question, f.flight)
		}
	})
}

// removeLocked takes a flight off the board, so that nobody joins it, and ends its context.
func (s *Flights) removeLocked(q question, f *flight) {
	if s.flights[q] == f {
		delete(s.flights, q)
	}
	f.cancel()
}
