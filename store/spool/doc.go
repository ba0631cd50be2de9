// Package spool is the disk queue between a request and the database: append-only segment files that hold audit events
// until a sink has them.
//
// It promises that an event whose Record returned is found after kill -9, and after a power cut when the durability rule
// asked for it; that a call which was announced by an intent leaves exactly one outcome, "unknown" if the process died in
// between; that every event has its place in the writer's hash chain; that its size is bounded; and that damage is never
// silent: it is kept aside, counted, and said in the trail by an event of type audit_gap. When the disk fails it refuses new
// reservations; what was already promised goes into room that was held for it, or, when even that fails, is kept in memory.
//
// It refuses to know what an event means, beyond the rule that says which of them must be durable, and where events go.
//
// # How an event is written
//
// There is no writer goroutine. Whoever appends while nobody writes becomes the leader and writes all that is waiting with
// one write(2); the others wait for it. Whoever needs an fdatasync while nobody syncs leads that in the same way, so that
// appends which need none never wait for one. A goroutine syncs every 50 ms what was only written.
//
// # Files
//
// A segment begins with a header (format version, columns, writer, first number, head of the chain) and holds records: magic,
// CRC-32C, length, kind, flags, reference, payload. A record is an event (a sealed audit tuple), an intent (an unsealed one),
// a gap (a sealed event that says what is missing), or the input of a decision, which rides along. The reference ties an
// outcome to its intent.
package spool
