package limit

import "time"

// MaxQuotas is the most quotas that one call may spend from.
const MaxQuotas = 4

// Quota is one bucket that a call spends from. Quotas with the same name, key and rate share a bucket.
type Quota struct {
	// Name says which limit it is, such as "principal". It is a label of metrics, so there are few.
	Name string
	// Key tells the buckets of a limit apart. It is not kept.
	Key string
	// Rate is not zero.
	Rate Rate
}

// Verdict says whether a call is within all its quotas, and how the tightest of them stands. The zero Verdict refuses.
type Verdict struct {
	// OK is true when the call was within every quota, and has spent from each.
	OK bool
	// Tightest is the index of the quota that the caller should mind: when the call was refused the one that makes it wait
	// longest, else the one with the fewest calls left.
	Tightest int
	// Remaining is how many calls that quota has left.
	Remaining int
	// Reset is how long that quota takes to have its full burst again.
	Reset time.Duration
	// Retry is how long the caller must wait until a call fits; zero when OK.
	Retry time.Duration
}

// debts are how long each bucket of a call takes to be full again, in nanoseconds.
type debts [MaxQuotas]int64

// wait returns how long the quota makes a call wait, at a debt that the call has not added to yet; not positive when it
// fits.
func (q *Quota) wait(debt int64) int64 { return debt + q.Rate.interval - q.Rate.window() }

// fits reports whether a call is within all quotas.
func fits(quotas []Quota, d *debts) bool {
	for i := range quotas {
		if quotas[i].wait(d[i]) > 0 {
			return false
		}
	}
	return true
}

// judge returns the verdict from the debts as they stand after it: those of a call that was let through include the call.
func judge(quotas []Quota, d *debts, ok bool) Verdict {
	v := Verdict{OK: ok, Remaining: -1}
	for i := range quotas {
		q := &quotas[i]
		remaining := int(max(0, (q.Rate.window()-d[i])/q.Rate.interval))
		wait := time.Duration(max(0, q.wait(d[i])))
		if ok {
			wait = 0
		}
		if v.Remaining < 0 || wait > v.Retry || wait == v.Retry && remaining < v.Remaining {
			v.Tightest, v.Remaining, v.Reset, v.Retry = i, remaining, time.Duration(d[i]), wait
		}
	}
	v.Remaining = max(0, v.Remaining)
	return v
}
