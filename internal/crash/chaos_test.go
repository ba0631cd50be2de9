package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	// shortly is how long everything goes wrong in `make test`.
	shortly = 20 * time.Second
	// recovery bounds how long it takes until all is well again. The breakers before Redis and MCP servers ask again within
	// seconds, a registered server's status and the issuer's keys within ten.
	recovery = 40 * time.Second
	// leftover is how many goroutines more than before a gateway may have when nobody asks it any more: connections to Redis
	// and to the database come and go.
	leftover = 24
)

// TestChaos lets everything go wrong at once: gateways are killed, drained and reloaded, policies change and break, Redis,
// the database and the MCP servers go away and come back, the issuer changes its keys, disks are full, while several
// principals ask for everything that there is. What clients get, what the servers see and what the trail holds is compared
// with what it may be; see doc.go. Afterwards all is well again, by itself.
func TestChaos(t *testing.T) {
	seed, duration := seed(t), max(longer(t), shortly)
	t.Logf("SARK_CRASH_SEED=%d repeats the choices of this run", seed)
	w := newTown(t)
	began := time.Now()
	defer func() {
		if t.Failed() {
			t.Logf("what happened last:\n%s\nwhat the processes said last:\n%s", w.reports.last(), w.log.tail())
		}
	}()
	for _, r := range w.replicas {
		if err := r.start(); err != nil {
			t.Fatal(err)
		}
	}
	everybody := w.begin(seed)
	before := w.rest(everybody, time.Second)

	everybody = w.begin(seed + 1)
	lanes := w.lanes(seed)
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	w.disturb(ctx, lanes)
	cancel()
	w.recovers()
	w.ownLimit()
	after := w.rest(everybody, 3*time.Second)
	for n, r := range w.replicas {
		if after[n] > before[n]+leftover {
			w.judge.fault("replica %d has %d goroutines at rest, and had %d in the beginning", n, after[n], before[n])
		}
		if err := r.stop(false); err != nil {
			w.judge.fault("replica %d: %v", n, err)
		}
	}
	w.wholeLimit(began)
	w.clean()
	trail, err := w.auditTrail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s of chaos: %s", duration, summary(lanes))
	t.Logf("replies: %s", w.judge.tally())
	t.Logf("looks at versions: %s", w.judge.looked())
	t.Logf("goroutines at rest: %v before, %v after; %s", before, after, trail)
	for _, fault := range w.judge.verdict() {
		t.Error(fault)
	}
}

// rest lets everybody ask for a while longer, then nobody, and returns how many goroutines each gateway has then.
func (w *town) rest(f *traffic, more time.Duration) [2]int {
	wait(w.t.Context(), more)
	f.end()
	var counts [2]int
	for n, r := range w.replicas {
		l, ok := r.now()
		if !ok {
			w.judge.fault("replica %d does not run", n)
			continue
		}
		least := 1 << 30
		for range 30 { // Connections that clients have closed take a moment to end.
			got, err := l.gateway.Gauge(w.t.Context(), "go_goroutines")
			if err != nil {
				w.judge.fault("replica %d: %v", n, err)
				break
			}
			least = min(least, int(got))
			wait(w.t.Context(), 50*time.Millisecond)
		}
		counts[n] = least
	}
	return counts
}

// recovers waits until every gateway says that it is well, and everything that may be asked is answered. Nothing is restarted.
func (w *town) recovers() {
	ctx, cancel := context.WithTimeout(w.t.Context(), recovery)
	defer cancel()
	for {
		err := w.well(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.judge.fault("not well again after %s: %v", recovery, err)
			return
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// well asks for the health of both gateways, and calls through them as everybody.
func (w *town) well(ctx context.Context) error {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	var errs []error
	for _, r := range w.replicas {
		errs = append(errs, w.healthy(ctx, c, r))
		l, ok := r.now()
		if !ok {
			continue
		}
		for _, p := range principals() {
			asks := newClient(w, p, 50, nil)
			w.policy.mu.Lock()
			w.policy.probes++
			a := &ask{kind: "recovery", call: fmt.Sprintf("recovery-%d", w.policy.probes), at: l, verb: http.MethodPost, headers: map[string]string{}}
			w.policy.mu.Unlock()
			asks.send(ctx, a.modern(w, "tools/call", echoTool, a.toolCall(echoTool)))
			if ctx.Err() == nil {
				if o := asks.judge(a); o.result == "" {
					errs = append(errs, fmt.Errorf("replica %d answers %s with status %d: %s", r.n, p.name, a.status, a.reply))
				}
			}
			asks.http.CloseIdleConnections()
		}
	}
	return errors.Join(errs...)
}

// healthy says what is not well with a gateway by its own report.
func (w *town) healthy(ctx context.Context, c *http.Client, r *replica) error {
	l, ok := r.now()
	if !ok {
		return fmt.Errorf("replica %d does not run", r.n)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.gateway.API+"/health/detailed", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", principals()[5].key)
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var report struct {
		OverallHealthy bool `json:"overall_healthy"`
	}
	if err := json.Unmarshal(body, &report); err != nil || !report.OverallHealthy {
		return fmt.Errorf("replica %d: status %d: %s", r.n, res.StatusCode, body)
	}
	return nil
}

// ownLimit calls the limited tool as fast as it can through both gateways, which share one count now.
func (w *town) ownLimit() {
	const burst = 3 * time.Second
	ctx, cancel := context.WithTimeout(w.t.Context(), burst)
	defer cancel()
	began := time.Now()
	c := newClient(w, principals()[4], 60, rand.New(rand.NewPCG(0, 0)))
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		c.callsTool(ctx, meteredTool)
		wait(ctx, 5*time.Millisecond)
	}
	w.limited("both gateways together", began, time.Now(), 1)
}

// wholeLimit looks whether more calls came to the server than two gateways may let through that each count alone, and that
// begin anew with each start.
func (w *town) wholeLimit(began time.Time) {
	starts := 0
	for _, r := range w.replicas {
		starts += r.incarnation
	}
	w.limited("all gateways", began, time.Now(), starts)
}

// limited looks whether the limited calls of a time are more than those of some buckets.
func (w *town) limited(who string, from, to time.Time, buckets int) {
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	n := 0
	for _, at := range w.desk.metered {
		if !at.Before(from) && !at.After(to) {
			n++
		}
	}
	rate := min(buckets, len(w.replicas)) * meteredRate
	if most := buckets*meteredBurst + int(to.Sub(from).Seconds()*float64(rate)) + 1; n > most {
		w.judge.fault("%s let %d limited calls pass in %s, and %d at the most may", who, n, to.Sub(from), most)
	}
}

// clean looks for what no gateway may ever print.
func (w *town) clean() {
	if text := w.log.alarmed(); text != "" {
		w.judge.fault("a gateway has printed:\n%s", text)
	}
	if w.judge.hits == 0 || w.judge.looks[purged] == 0 || w.judge.looks[written] == 0 || w.judge.looks[streamed] == 0 {
		w.judge.fault("nothing came from cache, or nothing was held against a promise: %s", w.judge.looked())
	}
	if strings.Contains(w.judge.tally(), " 500: ") {
		w.judge.fault("a reply has status 500: %s", w.judge.tally())
	}
}
