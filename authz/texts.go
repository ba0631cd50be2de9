package authz

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxKeptText bounds the texts that are kept, in bytes. Whoever asks chooses some of them.
const maxKeptText = 64

// texts keeps the terms of short texts that come again and again: actions, levels, names of tools and of their arguments. It
// works as parts do. Nil keeps nothing.
type texts struct {
	seed  maphash.Seed
	slots [partSlots]atomic.Pointer[ast.Term]
}

// term returns the term of a text, whose bytes are not referred to.
func (t *texts) term(s string) *ast.Term {
	if t == nil || len(s) > maxKeptText {
		return str(s)
	}
	at := &t.slots[maphash.String(t.seed, s)%partSlots]
	if kept := at.Load(); kept != nil && string(kept.Value.(ast.String)) == s {
		return kept
	}
	made := str(s)
	at.Store(made)
	return made
}

// bytes is term for a text that is bytes.
func (t *texts) bytes(b []byte) *ast.Term {
	if t == nil || len(b) > maxKeptText {
		return ast.InternedTerm(string(b))
	}
	at := &t.slots[maphash.Bytes(t.seed, b)%partSlots]
	if kept := at.Load(); kept != nil && string(kept.Value.(ast.String)) == string(b) {
		return kept
	}
	made := ast.InternedTerm(string(b))
	at.Store(made)
	return made
}
