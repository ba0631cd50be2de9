package authz

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	// repeatedSlots is the number of arguments whose encoding is kept. It is a power of two.
	repeatedSlots = 1024
	// maxRepeated bounds their length, in bytes.
	maxRepeated = 1024
	// worthKeeping is the length from which a look at what is kept costs less than to read the arguments, in bytes.
	worthKeeping = 24
)

// repeated keeps the encoding of arguments that came again, byte for byte: whoever asks a question that is remembered has
// mostly sent the same bytes before, and to compare them takes a fraction of the time that it takes to read them. What is
// kept is found by a hash and used only when all its bytes are equal. Arguments that came once leave their hash, and nothing
// that has to be allocated.
type repeated struct {
	selection *selection
	seed      maphash.Seed
	slots     []repeatedSlot // empty when no argument is read
}

type repeatedSlot struct {
	seen atomic.Uint64 // the hash of the latest that came once
	kept atomic.Pointer[encoded]
}

// encoded is immutable.
type encoded struct{ raw, parts string }

func newRepeated(s *selection) repeated {
	if s == nil {
		return repeated{}
	}
	return repeated{s, maphash.MakeSeed(), make([]repeatedSlot, repeatedSlots)}
}

// append adds the parts of arguments that are read to a key; false when they have no encoding.
func (r *repeated) append(k *key, raw []byte) bool {
	if len(raw) < worthKeeping || len(raw) > maxRepeated {
		return k.selected(r.selection, raw)
	}
	hash := maphash.Bytes(r.seed, raw)
	slot := &r.slots[hash&uint64(len(r.slots)-1)] //nolint:gosec // there is one at least
	if e := slot.kept.Load(); e != nil && e.raw == string(raw) {
		k.out = append(k.out, e.parts...)
		return true
	}
	from := len(k.out)
	if !k.selected(r.selection, raw) {
		return false
	}
	if slot.seen.Swap(hash) == hash {
		slot.kept.Store(&encoded{string(raw), string(k.out[from:])})
	}
	return true
}
