package authz

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	// memoSets and memoWays make room for 65,536 decisions. The eight ways of a set are one cache line of pointers; with
	// eight, 10,000 decisions hardly ever push each other out.
	memoSets = 8192
	memoWays = 8
	// maxMemory bounds the memory of all entries, in bytes. When it is exceeded everything is forgotten: a caller who asks
	// ever new questions costs time, not memory.
	maxMemory = 32 << 20
	// maxAnswer bounds the texts of a decision that is remembered, in bytes.
	maxAnswer = 16384
	// The sizes of what entries are made of, in bytes, without the texts.
	entrySize, limitSize, ruleSize = 320, 32, 256
	// compiledFactor is how much more than its text a compiled path or pattern takes, about.
	compiledFactor = 40
)

// memo remembers the decisions of one policy. It is exact: an entry answers a question only when everything that the policy
// can read is the same, byte for byte; hashes only say where to look. It belongs to one policy, its data and policy_config,
// and is gone with them, so no decision of older ones can be found. It has no locks: readers load pointers, writers swap them.
type memo struct {
	keyer *keyer
	seed  maphash.Seed // of this memo alone, so that nobody can choose questions that fall into one set
	sets  []memoSet
	used  atomic.Int64 // bytes
	next  atomic.Uint32
}

type memoSet [memoWays]atomic.Pointer[entry]

// entry is immutable, and so is everything its decision refers to.
type entry struct {
	hash     uint64
	key      string
	decision Decision
	size     int64
}

func newMemo(w *wanted) *memo {
	return &memo{keyer: newKeyer(w), seed: maphash.MakeSeed(), sets: make([]memoSet, memoSets)}
}

// key returns what a question is remembered by; nil when it is not. A nil memo remembers nothing.
func (m *memo) key(in *Input, set *settings) *key {
	if m == nil {
		return nil
	}
	k := m.keyer.key(in, set)
	if k != nil {
		k.hash = maphash.Bytes(m.seed, k.out)
	}
	return k
}

// find returns the decision on a question, nil when it is not remembered, or has no key.
func (m *memo) find(k *key) *Decision {
	if k == nil {
		return nil
	}
	set := &m.sets[k.hash%memoSets]
	for i := range set {
		if e := set[i].Load(); e != nil && e.hash == k.hash && e.key == string(k.out) {
			return &e.decision
		}
	}
	return nil
}

// keep remembers an answer of the policy. Failures of the engine are none: the next attempt may succeed.
func (m *memo) keep(k *key, d *Decision) {
	texts := d.textSize()
	if k == nil || d.Err != nil || texts > maxAnswer {
		return
	}
	e := &entry{hash: k.hash, key: string(k.out), decision: *d}
	if e.decision.Tier != "" { // undefined is the policy's answer, and yet no tier's
		e.decision.Tier = tierMemo
	}
	e.size = int64(entrySize + len(e.key) + texts)
	m.put(e)
	if m.used.Load() > maxMemory {
		m.forget()
	}
}

// put stores an entry in the place of an equal one, of none, or of another in turn.
func (m *memo) put(e *entry) {
	set := &m.sets[e.hash%memoSets]
	way := -1
	for i := range set {
		old := set[i].Load()
		if old == nil && way < 0 {
			way = i
		}
		if old != nil && old.hash == e.hash && old.key == e.key {
			way = i
			break
		}
	}
	if way < 0 {
		way = int(m.next.Add(1) % memoWays)
	}
	m.replace(&set[way], e)
}

func (m *memo) replace(at *atomic.Pointer[entry], e *entry) {
	if old := at.Swap(e); old != nil {
		m.used.Add(-old.size)
	}
	if e != nil {
		m.used.Add(e.size)
	}
}

// forget removes all entries.
func (m *memo) forget() {
	for s := range m.sets {
		for way := range m.sets[s] {
			m.replace(&m.sets[s][way], nil)
		}
	}
}

// textSize returns how many bytes of text a decision refers to, about.
func (d *Decision) textSize() int {
	n := len(d.Reason) + len(d.Rule)
	if r := d.Obligations.Redact; r != nil {
		for _, rule := range r.Rules { // each is compiled for two places
			n += ruleSize + compiledFactor*(len(rule.Path)+len(rule.Pattern))
		}
	}
	if d.Obligations.Limit != nil {
		n += len(d.Obligations.Limit.Key) + limitSize
	}
	return n
}
