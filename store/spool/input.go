package spool

import "sark/internal/audit"

// maxInput bounds one decision input, in bytes. Larger ones are dropped and counted.
const maxInput = 256 << 10

// RecordInput takes the input of a decision, to be written with the next event, which is that of its exchange at the latest.
// Inputs are no part of the trail: there is no error, and what the spool has no room for is dropped and counted, since room is
// for events.
func (s *Spool) RecordInput(in *audit.Input) {
	t := tickets.Get().(*ticket) // for its buffer
	defer tickets.Put(t)
	t.tuple = audit.AppendInput(t.tuple[:0], in)
	size := int64(recordHeader + len(t.tuple))
	if len(t.tuple) > maxInput || s.bound.Load() != nil || s.used.Load()+size > s.callBytes() {
		s.stats.inputsDropped.Add(1)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.failure != nil {
		s.stats.inputsDropped.Add(1)
		return
	}
	s.used.Add(size)
	s.appendLocked(kindInput, false, 0, t.tuple)
}

// Inputs returns the decision inputs that stand before the events of the last Read, in the form of audit.AppendInput. After a
// restart some may be returned again. They are valid until the next Read.
func (s *Spool) Inputs() [][]byte {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	return s.reader.inputs
}
