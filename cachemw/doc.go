// Package cachemw is the response cache: what may be stored, for how long, under which key, and where.
//
// Its words follow RFC 9111. It promises that a key never maps two callers' partitions or two different questions together,
// that trouble is a miss, and that an entry filled across an invalidation is never served. Entries hold what the upstream
// said, unfiltered: deciding and filtering come after a hit, per caller. It knows nothing of principals: the caller gives
// it an opaque partition.
//
// [Cache] is what a gateway asks. Behind it is a [Backend], and package cachetest is the suite that each passes:
//
//   - [Memory] is in the process.
//   - [Redis] is shared by several gateways, on Redis or Valkey: one server, Sentinel or Cluster. What it reads there is not
//     trusted: every length is bounded, and entries are signed when there is a key. A breaker keeps requests away from a
//     server that is slow or gone.
//   - [Tiered] puts a Memory before a Redis and hears on a [Bus] what other gateways invalidate. It drops the Memory
//     whenever it may have missed something.
//
// An invalidation ends a generation, which is a value that is never used again. Nothing is searched for and deleted: an
// entry is served only while its server's current generation is the one that was read before the request for it went
// upstream. Records that are lost, by eviction or restart, are replaced by new values. A server that restarts on an old
// snapshot or a replica that takes over may still hold old records, so they count only in the process that they were
// written to.
//
// [Flights] lets one of several equal requests go upstream for all, and [RefreshEarly] spreads the ends of lifetimes.
package cachemw
