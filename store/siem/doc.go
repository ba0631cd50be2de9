// Package siem brings events of the audit trail to receivers outside: syslog, Splunk, OpenTelemetry, any webhook.
//
// It promises that a receiver gets every event of this gateway's spool that its filter lets through, in the order of their
// numbers and at least once; each carries its id, by which a receiver that was sent one twice knows it. It promises too that
// a receiver which is slow or away costs the gateway nothing: it holds up neither the database nor the spool nor a call.
//
// # Where events come from
//
// A Lane keeps the number of the last event that its receiver has in a file of its own, written whole and synced after every
// batch. What follows it is read from the spool beside the shipper, by a cursor without a claim: segments are dropped when the
// database has them, whether or not a receiver does. What is in the spool no more is in the database by then, and is read from
// the trail there, until the lane has caught up with the spool. So a receiver may be away for as long as the trail's retention,
// and the spool's bound is the same with ten receivers as with none. To keep segments for a receiver instead would let a dead
// one fill the spool, and a full spool refuses calls.
//
// Only what is on the disk is sent, so that no power cut takes back what a receiver has.
//
// # What cannot be delivered
//
// A receiver that refuses a batch for what is in it gets its halves, until the event that it refuses is alone. That event is
// written to a folder and passed over, once the receiver has taken another one of the same batch: a receiver that refuses all
// is set up wrongly, and is asked again after a pause like one that is away.
package siem
