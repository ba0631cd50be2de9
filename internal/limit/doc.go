// Package limit is the rate limiter: the generic cell rate algorithm (GCRA) over a bounded table of buckets in memory.
//
// It promises that a bucket never lets through more than its burst plus its rate, that a refused call spends nothing, that
// deciding costs no allocation, and that memory stays bounded whatever keys arrive. It runs no goroutine. It knows nothing
// of principals, servers or tools: the caller says which key a call spends from.
package limit
