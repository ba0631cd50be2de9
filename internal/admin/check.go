package admin

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check is one part of the process that can be well or unwell.
type Check struct {
	// Name identifies the part in reports and logs, for example "store". Names are unique.
	Name string
	// Critical parts make the process not ready while they fail; any other makes it degraded.
	Critical bool
	// Run returns nil when the part is well. It must return soon after ctx ends and is never run twice at once.
	Run func(ctx context.Context) error
	// Pool returns the use of the part's connections; nil for parts that have none.
	Pool func() PoolStats
	// Mode returns a word for the way in which the part works, where it has several; nil for parts that have one.
	Mode func() string
}

// PoolStats is the use of one connection pool at a moment, in connections.
type PoolStats struct {
	// Open is all connections, InUse those that carry a request, Idle the rest.
	Open, InUse, Idle int
	// Max bounds Open; 0 means no bound.
	Max int
}

// Result is what a check found.
type Result struct {
	// Name and Critical are those of the check.
	Name     string
	Critical bool
	// Err is nil when the part is well. It is for logs: it may name hosts and users.
	Err error
	// Latency is how long the check took.
	Latency time.Duration
	// Pool is the use of the part's connections, read just after the check; nil for parts that have none.
	Pool *PoolStats
	// Mode is the word for how the part works, empty for parts that have one way.
	Mode string
}

// Healthy reports whether the part is well.
func (r Result) Healthy() bool { return r.Err == nil }

// Problem returns a word for what is wrong that discloses nothing else: "timeout", "failed", or "" when the part is well.
func (r Result) Problem() string {
	switch {
	case r.Err == nil:
		return ""
	case errors.Is(r.Err, context.DeadlineExceeded):
		return "timeout"
	}
	return "failed"
}

// run does the check once. A panic inside is the part's failure, not the process's.
func (c *Check) run(ctx context.Context) (result Result) {
	result = Result{Name: c.Name, Critical: c.Critical}
	begin := time.Now()
	defer func() {
		if p := recover(); p != nil {
			result.Err = fmt.Errorf("check %s: panic: %v", c.Name, p)
		}
		result.Latency = time.Since(begin)
	}()
	result.Err = c.Run(ctx)
	if c.Pool != nil {
		stats := c.Pool()
		result.Pool = &stats
	}
	if c.Mode != nil {
		result.Mode = c.Mode()
	}
	return result
}
