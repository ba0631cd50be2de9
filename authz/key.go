package authz

import (
	"maps"
	"slices"
	"sync"
)

// maxKey bounds the length of a key in bytes. Questions with a longer one are not remembered.
const maxKey = 1024

// keys are the buffers that keys are built in.
var keys = sync.Pool{New: func() any {
	return &key{canonicalizer: canonicalizer{out: make([]byte, 0, 2*maxKey), limit: maxKey}}
}}

// key is everything that a policy reads of one question, in an encoding that differs whenever a policy could tell the
// difference. It is built straight from the Input, on a way of its own beside the document, so that the two check each
// other in tests.
type key struct {
	canonicalizer
	hash uint64
}

// keyer builds keys for one policy.
type keyer struct {
	wanted    *wanted
	arguments repeated
	portrait  portraits
}

func newKeyer(w *wanted) *keyer {
	return &keyer{wanted: w, portrait: newPortraits(w), arguments: newRepeated(w.arguments)}
}

// key returns the key of a question, or nil when it has none: it is too long, or something of it has no encoding. The
// caller releases the key.
func (r *keyer) key(in *Input, set *settings) *key {
	k := keys.Get().(*key)
	k.out = r.wanted.fields.append(k.out[:0], in, set)
	if !r.rest(k, in) || len(k.out) > maxKey {
		k.release()
		return nil
	}
	return k
}

// rest adds what has no fixed place in the document.
func (r *keyer) rest(k *key, in *Input) bool {
	w := r.wanted
	if w.context {
		if in.Context != nil {
			return false
		}
		k.out = append(k.out, tagAbsent)
	}
	if w.headers.any() {
		k.out = w.headers.append(k.out, in.Request.Headers)
	}
	if w.parameters {
		k.out = appendBool(k.out, in.Tool.applies())
	}
	if w.arguments != nil {
		raw := in.Call.Arguments
		if raw != nil && len(raw) == 0 || !r.arguments.append(k, raw) {
			return false
		}
	}
	return r.portrait.append(k, in.Principal)
}

// release gives the buffers of a key back. A nil key has none. Nothing of a key refers to the question.
func (k *key) release() {
	if k == nil {
		return
	}
	keys.Put(k)
}

// append encodes those headers that are read.
func (h *headers) append(b []byte, all map[string]string) []byte {
	if !h.all {
		for _, name := range h.names {
			value, ok := all[name]
			b = appendTextIf(b, ok, value)
		}
		return b
	}
	b = appendLength(b, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b = appendText(appendText(b, name), all[name])
	}
	return b
}
