package cachemw

import "sync"

// Flights lets one of several requests that ask the same question at the same time go upstream, and the others wait for its
// answer. The zero value is ready. A request is served by the goroutine of its connection, which may stream what it gets,
// so this is a meeting point rather than a loader:
//
//	f := flights.Join(key, generation, partition)
//	if f.Leads() {
//		… forward, even when the own client leaves as long as the answer is Wanted, then Land …
//	}
//	… wait for Landed as long as the own deadline allows, then ask for the Entry …
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

// flight is one request upstream and those who wait for it. Most have nobody who does: what only followers need is made when
// the first of them comes.
type flight struct {
	leader  Flight
	landed  chan struct{} // made with the first follower under Flights.mu, closed by Land
	waiting int           // guarded by Flights.mu; followers that have not left
	entry   *Entry        // set before landed is closed; nil when there is none to share
}

// Flight is one request's seat in a flight. Its methods must be called by that request alone.
type Flight struct {
	flights   *Flights
	question  question
	flight    *flight
	partition [32]byte
	leads     bool
	left      bool
}

// Join joins the flight for a key and generation (see Cache.Generation), or begins one, which the caller must Land. The key
// may be the public one of requests from several partitions.
func (s *Flights) Join(key Key, generation uint64, partition [32]byte) *Flight {
	q := question{key, generation}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[q]; f != nil {
		if f.landed == nil {
			f.landed = make(chan struct{})
		}
		f.waiting++
		return &Flight{flights: s, question: q, flight: f, partition: partition}
	}
	if s.flights == nil {
		s.flights = map[question]*flight{}
	}
	f := new(flight)
	f.leader = Flight{flights: s, question: q, flight: f, partition: partition, leads: true}
	s.flights[q] = f
	return &f.leader
}

// Leads reports whether this request is the one that goes upstream.
func (f *Flight) Leads() bool { return f.leads }

// Wanted reports whether others wait for the answer.
func (f *Flight) Wanted() bool {
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	return f.flight.waiting > 0
}

// Landed is closed when the flight is over. It is for those that wait: the leader knows.
func (f *Flight) Landed() <-chan struct{} { return f.flight.landed }

// Entry returns the answer of a flight that has landed. It reports false when there is none to share with this request: the
// leader failed, the answer was not storable, or it is private and not the partition's own. The entry must not be changed.
func (f *Flight) Entry() (Entry, bool) {
	e := f.flight.entry
	if e == nil || e.Scope != Public && f.flight.leader.partition != f.partition {
		return Entry{}, false
	}
	return *e, true
}

// Land ends the flight. With ok those who wait get a copy of the entry; otherwise each is on its own, since errors are not
// shared. Only the leader may call it; calls after the first do nothing.
func (f *Flight) Land(e Entry, ok bool) {
	if !f.leads {
		panic("BUG: a follower landed a flight")
	}
	if f.left {
		return
	}
	f.left = true
	s := f.flights
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && f.flight.waiting > 0 { // copied here: nobody joins any more
		shared := e.clone()
		f.flight.entry = &shared
	}
	delete(s.flights, f.question)
	if f.flight.landed != nil {
		close(f.flight.landed)
	}
}

// Leave gives up a follower's interest in the answer. Calls after the first do nothing.
func (f *Flight) Leave() {
	if f.leads || f.left {
		return
	}
	f.left = true
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	f.flight.waiting--
}
