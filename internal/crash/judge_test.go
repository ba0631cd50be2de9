package crash_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long what one gateway was told may take to reach the other one.
const (
	// passing is that of a purge that was acknowledged: it is in Redis, and the message is on its way.
	passing = 2 * time.Second
	// settling counts from when Redis and the database were away last: invalidations are tried again each second, changes of the
	// registry each five.
	settling = 8 * time.Second
)

// reports keeps what happened lately, for whoever has to understand a fault.
type reports struct {
	mu    sync.Mutex
	lines []string
}

func (r *reports) add(format string, values ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, values...))
	r.lines = r.lines[max(0, len(r.lines)-200):]
}

func (r *reports) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// judge holds what clients got against what they may have got.
type judge struct {
	town *town

	mu        sync.Mutex
	faults    []string
	more      int            // faults beyond those kept
	counts    map[string]int // of asks, by kind and status
	decisions map[string]heard
	exchanges map[string]heard // refusals before a decision
	floors    map[string][]floor
	hits      int             // versioned answers from cache
	looks     map[promise]int // versioned answers from cache under a floor that held
}

// heard is a reply that names its decision or exchange.
type heard struct {
	status int
	what   string
	full   bool // it says that the trail is full, and may have left no event
}

// promise is what a floor rests on.
type promise string

const (
	// purged holds everywhere at once, but for a message's way.
	purged promise = "purge"
	// written is a change of the registry: it holds in that gateway, and stays in the database until it holds everywhere.
	written promise = "write"
	// streamed is what a gateway has heard on a stream: it holds there, and everywhere once Redis is in reach, unless that
	// gateway dies before. When it dies nobody owes it any more, and that cannot be judged.
	streamed promise = "stream"
)

// floor is a version that must not be undercut any more.
type floor struct {
	version int64
	since   time.Time
	told    life // the gateway that was told
	by      promise
}

func newJudge(w *town) *judge {
	return &judge{town: w, counts: map[string]int{}, decisions: map[string]heard{}, exchanges: map[string]heard{}, floors: map[string][]floor{}, looks: map[promise]int{}}
}

func (j *judge) fault(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	j.town.reports.add("FAULT %s", text)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.faults) < 30 {
		j.faults = append(j.faults, time.Now().Format("15:04:05.000 ")+text)
		return
	}
	j.more++
}

func (j *judge) count(kind string, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[fmt.Sprintf("%s %d", kind, status)]++
}

// noted remembers a reply, for the trail.
func (j *judge) noted(decision, exchange string, h heard) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case decision != "":
		if was, twice := j.decisions[decision]; twice {
			j.faults = append(j.faults, fmt.Sprintf("decision %s answers twice: %v and %v", decision, was, h))
		}
		j.decisions[decision] = h
	case exchange != "":
		j.exchanges[exchange] = h
	}
}

// raise sets a floor under what is called by a name.
func (j *judge) raise(name string, f floor) {
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.floors[name]
	j.floors[name] = append(old[max(0, len(old)-100):], f)
}

// read looks whether a version may be the answer to a request of a time by a gateway.
func (j *judge) read(name string, version int64, cached bool, began time.Time, at life) {
	j.mu.Lock()
	floors := slices.Clone(j.floors[name])
	j.mu.Unlock()
	held := map[promise]int{}
	for _, f := range floors {
		if !j.holds(f, began, at) {
			continue
		}
		held[f.by] = 1
		if f.version > version {
			j.fault("%s: replica %d serves version %d, asked %s after replica %d was told of version %d by a %s",
				name, at.n, version, began.Sub(f.since), f.told.n, f.version, f.by)
			break
		}
	}
	if !cached {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hits++
	for by, n := range held {
		j.looks[by] += n
	}
}

// looked says how many answers came from cache, and under which promises.
func (j *judge) looked() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return fmt.Sprintf("%d came from cache, under promises %v", j.hits, j.looks)
}

// holds reports whether a floor holds for a request of a time to a gateway. Trouble of Redis that came after an invalidation
// was passed on makes this look later than it has to: from outside one cannot tell.
func (j *judge) holds(f floor, began time.Time, at life) bool {
	if at.n == f.told.n && at.incarnation == f.told.incarnation {
		return began.After(f.since)
	}
	if f.by == purged {
		return began.After(f.since.Add(passing))
	}
	paid := f.since
	for _, away := range []time.Time{j.town.redisAway.until(), j.town.databaseAway.until()} {
		if away.After(paid) {
			paid = away
		}
	}
	paid = paid.Add(settling)
	died, dead := f.told.died(f.told.incarnation)
	return began.After(paid) && (f.by == written || !dead || died.After(paid))
}

// verdict lists the faults.
func (j *judge) verdict() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.more > 0 {
		return append(slices.Clone(j.faults), fmt.Sprintf("and %d more", j.more))
	}
	return slices.Clone(j.faults)
}

func (j *judge) tally() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for _, key := range slices.Sorted(maps.Keys(j.counts)) {
		all = append(all, fmt.Sprintf("%s: %d", key, j.counts[key]))
	}
	return strings.Join(all, ", ")
}
