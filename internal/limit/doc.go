// Package limit is the rate limiter: the generic cell rate algorithm (GCRA) over a bounded table of buckets in memory, and
// over buckets that several gateways share in Redis.
//
// It promises that a bucket never lets through more than its burst plus its rate, that a refused call spends nothing from
// any of its buckets, that deciding in memory costs no allocation, and that memory stays bounded whatever keys arrive. When
// Redis is slow or gone, calls are counted in this process alone, at the cost of one bounded wait. It knows nothing of
// principals, servers or tools: the caller says which quotas a call spends from.
package limit
