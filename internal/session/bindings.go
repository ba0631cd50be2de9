package session

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Options bound the table.
type Options struct {
	// TTL is how long a session may go unused; required.
	TTL time.Duration
	// MaxPerPrincipal is how many sessions one principal may hold; the one unused for longest makes room. Default 1000.
	MaxPerPrincipal int
	// Max is how many sessions are remembered in all; the one unused for longest makes room. Default 100,000, about 40 MB.
	Max int
}

// Bindings is the table of sessions and their owners. All methods may be called from several goroutines at once.
type Bindings struct {
	o      Options
	mu     sync.Mutex // guards all below
	byID   map[[32]byte]*binding
	unused *list.List              // of *binding, least recently used last
	owners map[[32]byte]*list.List // the same, by owner
}

type binding struct {
	id, owner     [32]byte
	used          time.Time
	global, owned *list.Element
}

// New returns an empty table, or an error that says which option is wrong.
func New(o Options) (*Bindings, error) {
	if o.TTL <= 0 {
		return nil, errors.New("session: Options.TTL must be positive")
	}
	if o.MaxPerPrincipal == 0 {
		o.MaxPerPrincipal = 1000
	}
	if o.Max == 0 {
		o.Max = 100_000
	}
	if o.MaxPerPrincipal < 0 || o.Max < 0 {
		return nil, errors.New("session: Options.MaxPerPrincipal and Options.Max must not be negative")
	}
	return &Bindings{o: o, byID: map[[32]byte]*binding{}, unused: list.New(), owners: map[[32]byte]*list.List{}}, nil
}

// Bind makes owner the owner of a session that a server has just opened. It reports false, and changes nothing, when the id
// belongs to somebody else: a server that hands out an id twice must not hand over a session with it.
func (b *Bindings) Bind(id []byte, owner [32]byte, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked(now)
	key := sha256.Sum256(id)
	if old, ok := b.byID[key]; ok {
		if old.owner != owner {
			return false
		}
		b.touchLocked(old, now)
		return true
	}
	mine := b.owners[owner]
	if mine == nil {
		mine = list.New()
		b.owners[owner] = mine
	}
	for mine.Len() >= b.o.MaxPerPrincipal {
		b.removeLocked(mine.Back().Value.(*binding))
	}
	for len(b.byID) >= b.o.Max {
		b.removeLocked(b.unused.Back().Value.(*binding))
	}
	if b.owners[owner] == nil { // its last session made room
		mine = list.New()
		b.owners[owner] = mine
	}
	n := &binding{id: key, owner: owner, used: now}
	n.global, n.owned = b.unused.PushFront(n), mine.PushFront(n)
	b.byID[key] = n
	return true
}

// Owned reports whether the session is known and belongs to owner, and counts as use. It is false for a session that is
// unknown and for one of somebody else, alike.
func (b *Bindings) Owned(id []byte, owner [32]byte, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked(now)
	n, ok := b.byID[sha256.Sum256(id)]
	if !ok || n.owner != owner {
		return false
	}
	b.touchLocked(n, now)
	return true
}

// Drop forgets a session that has ended. Only its owner can.
func (b *Bindings) Drop(id []byte, owner [32]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n, ok := b.byID[sha256.Sum256(id)]; ok && n.owner == owner {
		b.removeLocked(n)
	}
}

// Len is how many sessions are remembered.
func (b *Bindings) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.byID)
}

func (b *Bindings) touchLocked(n *binding, now time.Time) {
	n.used = now
	b.unused.MoveToFront(n.global)
	b.owners[n.owner].MoveToFront(n.owned)
}

func (b *Bindings) expireLocked(now time.Time) {
	for e := b.unused.Back(); e != nil; e = b.unused.Back() {
		n := e.Value.(*binding)
		if now.Sub(n.used) < b.o.TTL {
			return
		}
		b.removeLocked(n)
	}
}

func (b *Bindings) removeLocked(n *binding) {
	delete(b.byID, n.id)
	b.unused.Remove(n.global)
	mine := b.owners[n.owner]
	mine.Remove(n.owned)
	if mine.Len() == 0 {
		delete(b.owners, n.owner)
	}
}
