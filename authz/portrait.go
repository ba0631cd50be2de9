package authz

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"sark/internal/authn"
)

const (
	// portraitSets and portraitWays make room for 16,384 principals.
	portraitSets = 2048
	portraitWays = 8
	// maxPortrait bounds the encoding that a digest is made of, in bytes.
	maxPortrait = 64 << 10
)

// portrait is the SHA-256 digest of what the policy reads of one principal. Principals who look the same to the policy,
// for example all with the same roles, have the same digest, and so share what is remembered. Claims are chosen by those
// who issue tokens, and to some degree by their users: only a digest for which nobody finds two preimages will do. It is
// immutable.
type portrait struct {
	who    *authn.Principal
	digest [sha256.Size]byte
}

// portraits keeps the digests of principals, so that each is made once. As a principal never changes, its address finds
// it; an entry holds on to its principal, and no other can have that address meanwhile.
type portraits struct {
	claims   *selection
	encoders []principalEncoder
	sets     [][portraitWays]atomic.Pointer[portrait] // empty when nothing of principals is read
}

func newPortraits(w *wanted) portraits {
	p := portraits{claims: w.claims}
	for f, encode := range principalEncoders() {
		if w.has(fieldPrincipalID + field(f)) {
			p.encoders = append(p.encoders, encode)
		}
	}
	if p.claims != nil || len(p.encoders) > 0 {
		p.sets = make([][portraitWays]atomic.Pointer[portrait], portraitSets)
	}
	return p
}

// append adds the digest of a principal to a key; false when it has none.
func (p *portraits) append(k *key, who *authn.Principal) bool {
	if len(p.sets) == 0 {
		return true
	}
	at := binary.LittleEndian.Uint64(who.Fingerprint[:])
	set := &p.sets[at%portraitSets]
	for i := range set {
		if found := set[i].Load(); found != nil && found.who == who {
			k.out = append(k.out, found.digest[:]...)
			return true
		}
	}
	made := p.paint(who)
	if made == nil {
		return false
	}
	k.out = append(k.out, made.digest[:]...)
	if who.Fingerprint != [sha256.Size]byte{} { // others are no result of authentication, and are seen once
		set[vacant(set, at/portraitSets)].Store(made)
	}
	return true
}

// vacant returns an empty way of a set, or the given one of a full set.
func vacant(set *[portraitWays]atomic.Pointer[portrait], victim uint64) int {
	for i := range set {
		if set[i].Load() == nil {
			return i
		}
	}
	return int(victim % portraitWays)
}

// paint makes the digest of a principal; nil when its claims cannot be encoded.
func (p *portraits) paint(who *authn.Principal) *portrait {
	c := canonicalizer{limit: maxPortrait}
	for _, encode := range p.encoders {
		c.out = encode(c.out, who)
	}
	if p.claims != nil {
		raw, err := plainJSON(who.Claims)
		if err != nil || !c.selected(p.claims, raw) {
			return nil
		}
	}
	return &portrait{who: who, digest: sha256.Sum256(c.out)}
}
