package authn

import (
	"bytes"
	"crypto/subtle"
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	// verifiedWays is how many entries share a set: a credential may be in any entry of its set.
	verifiedWays = 4
	// defaultVerified is how many credentials are remembered unless Options say otherwise.
	defaultVerified = 8192
	// maxRemembered is the longest credential, in bytes, that is remembered. It bounds the memory of the table; longer
	// ones are checked each time.
	maxRemembered = 8 << 10
)

// verified is a credential that was checked. It is immutable apart from due.
type verified struct {
	hash       uint64
	credential []byte
	principal  *Principal
	until      time.Time     // when it must be checked again in full
	keys       *keySet       // the issuer's keys that it was checked with; nil for anything but tokens
	checked    time.Time     // when the store last answered for it
	due        *atomic.Int64 // when to ask the store again, in Unix nanoseconds; nil when it need not be asked
}

// memory is a bounded table of checked credentials, so that a credential costs its full check once and about 60 ns after
// that. Only good credentials get in: nobody can fill it without some. It is set-associative and has no lock: readers load
// pointers, writers replace them.
type memory struct {
	seed maphash.Seed
	sets []verifiedSet
	next atomic.Uint32 // which entry of a full set to replace
}

// verifiedSet is where credentials with some bits of their hash in common may be.
type verifiedSet [verifiedWays]atomic.Pointer[verified]

// newMemory returns a memory for about n credentials.
func newMemory(n int) *memory {
	sets := max(1, n/verifiedWays)
	return &memory{seed: maphash.MakeSeed(), sets: make([]verifiedSet, sets)}
}

// set returns the set that a hash belongs to.
func (m *memory) set(hash uint64) *verifiedSet {
	return &m.sets[hash%uint64(len(m.sets))]
}

// find returns the entry of the credential, or nil.
func (m *memory) find(credential []byte) *verified {
	h := maphash.Bytes(m.seed, credential)
	set := m.set(h)
	for i := range set {
		v := set[i].Load()
		if v != nil && v.hash == h && v.is(credential) {
			return v
		}
	}
	return nil
}

// is reports whether v is of this credential. A secret is compared in constant time. A token is not: it is long, and the
// hash, of 64 secretly seeded bits, has matched already, so that a stranger never gets to measure this comparison.
func (v *verified) is(credential []byte) bool {
	if v.keys != nil || v.principal.Method == MethodMTLS { // a certificate is no secret
		return bytes.Equal(v.credential, credential)
	}
	return subtle.ConstantTimeCompare(v.credential, credential) == 1
}

// remember puts v into the table, in place of what is known of the same credential, of an ended entry, or else of any.
func (m *memory) remember(v *verified, now time.Time) {
	if len(v.credential) > maxRemembered {
		return
	}
	v.hash = maphash.Bytes(m.seed, v.credential)
	set := m.set(v.hash)
	place := int(m.next.Add(1) % verifiedWays)
	for i := range set {
		old := set[i].Load()
		if old != nil && old.hash == v.hash {
			place = i
			break
		}
		if old == nil || !now.Before(old.until) {
			place = i
		}
	}
	set[place].Store(v)
}

// forget removes v.
func (m *memory) forget(v *verified) {
	set := m.set(v.hash)
	for i := range set {
		set[i].CompareAndSwap(v, nil)
	}
}
