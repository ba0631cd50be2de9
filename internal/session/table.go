package session

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// digest identifies what is bound: a SHA-256 of the kind and the id.
type digest [sha256.Size]byte

// digestOf returns the digest of an id.
func digestOf(kind Kind, id []byte) digest {
	var room [128]byte
	b := append(append(room[:0], kind...), 0)
	return sha256.Sum256(append(b, id...))
}

// table is what this process knows: bindings and their owners, bounded in number.
type table struct {
	ttl                  time.Duration
	maxPerPrincipal, max int

	mu     sync.Mutex // guards all below
	byID   map[digest]*binding
	unused *list.List             // of *binding, least recently used last
	owners map[account]*list.List // the same, by owner and kind
}

// account is what one owner has of one kind. Kinds make room for their own only: else a server that asks its clients many
// questions could end the sessions that these have with other servers.
type account struct {
	owner [32]byte
	kind  Kind
}

type binding struct {
	id digest
	account
	used          time.Time
	confirmed     time.Time // when Redis last said so; zero when it never did
	global, owned *list.Element
}

func newTable(o Options) *table {
	return &table{
		ttl: o.TTL, maxPerPrincipal: o.MaxPerPrincipal, max: o.Max,
		byID: map[digest]*binding{}, unused: list.New(), owners: map[account]*list.List{},
	}
}

// bind makes owner the owner. It reports false, and changes nothing, when the id belongs to somebody else. ended are other
// bindings of the owner that had to make room.
func (t *table) bind(kind Kind, id digest, owner [32]byte, now, confirmed time.Time) (ok bool, ended []digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
	if old, ok := t.byID[id]; ok {
		if old.owner != owner {
			return false, nil
		}
		t.touchLocked(old, now)
		old.confirmed = confirmed
		return true, nil
	}
	holder := account{owner, kind}
	for mine := t.owners[holder]; mine != nil && mine.Len() >= t.maxPerPrincipal; {
		least := mine.Back().Value.(*binding)
		ended = append(ended, least.id)
		t.removeLocked(least)
	}
	for len(t.byID) >= t.max {
		t.removeLocked(t.unused.Back().Value.(*binding))
	}
	mine := t.owners[holder]
	if mine == nil {
		mine = list.New()
		t.owners[holder] = mine
	}
	n := &binding{id: id, account: holder, used: now, confirmed: confirmed}
	n.global, n.owned = t.unused.PushFront(n), mine.PushFront(n)
	t.byID[id] = n
	return true, ended
}

// owned reports whether a binding is known and belongs to owner, which counts as use, and when Redis last said so.
func (t *table) owned(id digest, owner [32]byte, now time.Time) (ok bool, confirmed time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
	n, ok := t.byID[id]
	if !ok || n.owner != owner {
		return false, time.Time{}
	}
	t.touchLocked(n, now)
	return true, n.confirmed
}

// drop forgets a binding of owner.
func (t *table) drop(id digest, owner [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.byID[id]; ok && n.owner == owner {
		t.removeLocked(n)
	}
}

// forget forgets a binding, whoever has it.
func (t *table) forget(id digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.byID[id]; ok {
		t.removeLocked(n)
	}
}

// len is how many bindings are remembered.
func (t *table) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

func (t *table) touchLocked(n *binding, now time.Time) {
	n.used = now
	t.unused.MoveToFront(n.global)
	t.owners[n.account].MoveToFront(n.owned)
}

func (t *table) expireLocked(now time.Time) {
	for e := t.unused.Back(); e != nil; e = t.unused.Back() {
		n := e.Value.(*binding)
		if now.Sub(n.used) < t.ttl {
			return
		}
		t.removeLocked(n)
	}
}

func (t *table) removeLocked(n *binding) {
	delete(t.byID, n.id)
	t.unused.Remove(n.global)
	mine := t.owners[n.account]
	mine.Remove(n.owned)
	if mine.Len() == 0 {
		delete(t.owners, n.account)
	}
}
