package cachemw

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// maxServers bounds how many generations are kept. Beyond it some other server's generation ends, which costs misses and
// nothing else.
const maxServers = 16384

// generation is one server's content between two invalidations. Entries point to theirs, so that ending it reaches every
// entry at once, those included that are about to be stored.
type generation struct {
	server string
	value  uint64
	ended  atomic.Bool
}

// generations are those in force. Their values are unique, so a value alone says which server and which time is meant.
type generations struct {
	now func() time.Time

	mu       sync.RWMutex
	byServer map[string]*generation // guarded by mu
	byValue  map[uint64]*generation // guarded by mu; the same generations
	last     uint64                 // guarded by mu; the highest value so far
}

// newGenerations returns none.
func newGenerations(now func() time.Time) *generations {
	return &generations{now: now, byServer: map[string]*generation{}, byValue: map[uint64]*generation{}}
}

// of returns the generation of a server and makes one when there is none.
func (g *generations) of(server string) uint64 {
	g.mu.RLock()
	current := g.byServer[server]
	g.mu.RUnlock()
	if current != nil {
		return current.value
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if current = g.byServer[server]; current != nil {
		return current.value
	}
	value := g.uniqueLocked()
	g.beginLocked(server, value)
	return value
}

// adopt makes a value that was made elsewhere the generation of a server. Another one that it has ends.
func (g *generations) adopt(server string, value uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if current := g.byServer[server]; current != nil && current.value == value {
		return
	}
	g.endLocked(server)
	g.beginLocked(server, value)
}

// beginLocked begins a generation of a server that has none.
func (g *generations) beginLocked(server string, value uint64) {
	for other := range g.byServer {
		if len(g.byServer) < maxServers {
			break
		}
		g.endLocked(other)
	}
	current := &generation{server: server, value: value}
	g.byServer[server], g.byValue[value] = current, current
}

// live returns the generation with that value, nil when it has ended.
func (g *generations) live(value uint64) *generation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.byValue[value]
}

// end ends the generation of a server. The next call of of makes a new one.
func (g *generations) end(server string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLocked(server)
}

// endAll ends every generation.
func (g *generations) endAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for server := range g.byServer {
		g.endLocked(server)
	}
}

// endLocked is end under the lock.
func (g *generations) endLocked(server string) {
	current := g.byServer[server]
	if current == nil {
		return
	}
	current.ended.Store(true)
	delete(g.byServer, server)
	delete(g.byValue, current.value)
}

// uniqueLocked returns a value that was never used: microseconds since 1970 and 12 random bits, which also keep two
// processes apart that begin at the same time. It only grows within a process, even when the clock steps back.
func (g *generations) uniqueLocked() uint64 {
	var random [2]byte
	_, _ = rand.Read(random[:]) // It never returns an error.
	value := uint64(g.now().UnixMicro())<<12 | uint64(binary.BigEndian.Uint16(random[:])&0xfff)
	g.last = max(value, g.last+1)
	return g.last
}
