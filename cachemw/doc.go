// Package cachemw is the response cache: what may be stored, for how long, under which key, and where.
//
// Its words follow RFC 9111. It promises that a key never maps two callers' partitions or two different questions together,
// that trouble is a miss, and that an entry filled across an invalidation is never served. Entries hold what the upstream
// said, unfiltered: deciding and filtering come after a hit, per caller. It knows nothing of principals: the caller gives
// it an opaque partition.
package cachemw
