package cachemw

import (
	"math"
	"time"
)

// farthest is above -ln of the least number above 0 that can be drawn: a float64 from (0, 1] is at least 2^-1074.
const farthest = 745

// RefreshEarly reports whether a request should refresh an entry that is still fresh, so that not everybody finds it stale
// at the same moment (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015).
// The nearer the end of its lifetime, and the dearer the answer, the likelier.
//
// cost is how long the upstream took to answer. beta is how eager to be: 1 is the optimum for one caller at a time, 0 never
// refreshes early. random is drawn by the caller, uniformly from (0, 1].
func RefreshEarly(e Entry, now time.Time, cost time.Duration, beta, random float64) bool {
	if beta <= 0 || cost <= 0 || random <= 0 || random > 1 {
		return !e.Fresh(now)
	}
	if age := e.Age(now); float64(e.TTL-age) > farthest*beta*float64(cost) {
		return false // whatever was drawn: most hits end here
	}
	ahead := -float64(cost) * beta * math.Log(random)
	return float64(e.Age(now))+ahead >= float64(e.TTL)
}
