package cachemw

import "sync"

// names remembers which server a generation is of, as far as this process has asked for it, because an entry names only
// its generation. It is bounded: what is forgotten costs a fill.
type names struct {
	mu           sync.RWMutex
	byServer     map[string]uint64 // guarded by mu
	byGeneration map[uint64]string // guarded by mu; the same pairs
}

// newNames returns an empty memory.
func newNames() *names {
	return &names{byServer: map[string]uint64{}, byGeneration: map[uint64]string{}}
}

// remember notes the current generation of a server and forgets the one before.
func (n *names) remember(server string, generation uint64) {
	n.mu.RLock()
	known := n.byServer[server] == generation
	n.mu.RUnlock()
	if known {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for other := range n.byServer {
		if len(n.byServer) < maxServers {
			break
		}
		n.forgetLocked(other)
	}
	n.forgetLocked(server)
	n.byServer[server], n.byGeneration[generation] = generation, server
}

// forgetLocked forgets a server.
func (n *names) forgetLocked(server string) {
	if old, ok := n.byServer[server]; ok {
		delete(n.byServer, server)
		delete(n.byGeneration, old)
	}
}

// of returns the server of a generation.
func (n *names) of(generation uint64) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	server, ok := n.byGeneration[generation]
	return server, ok
}
