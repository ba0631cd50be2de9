package crash_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"sark/internal/testkit"
)

// leastKills is how many SIGKILLs a run has at least.
const leastKills = 24

// TestNothingIsLostInCrashes kills the gateway and the shipper at random, stops and starts the database, and fills the disk,
// all under load. After each round every call that reached the MCP server has left exactly one outcome in the trail.
func TestNothingIsLostInCrashes(t *testing.T) {
	seed, duration := seed(t), longer(t)
	t.Logf("SARK_CRASH_SEED=%d repeats the choices of this run", seed)
	h := newHouse(t, rand.New(rand.NewPCG(seed, 0)))
	kinds := []func(){h.quietRound, h.databaseRestarts, h.databaseDown, h.diskFull}
	began := time.Now()
	rounds := 0
	for ; rounds < len(kinds) || h.gatewayKills+h.shipperKills < leastKills || time.Since(began) < duration; rounds++ {
		kind := h.choose.IntN(len(kinds))
		if rounds < len(kinds) {
			kind = rounds // each at least once
		}
		kinds[kind]()
		h.drain(1 + h.choose.IntN(3))
		faults, err := h.auditor.check(t.Context(), rounds%20 == 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Errorf("round %d: %s", rounds, fault)
		}
		if t.Failed() {
			break
		}
	}
	if faults, err := h.auditor.check(t.Context(), true); err != nil || len(faults) > 0 {
		t.Errorf("at the end: %q, error %v", faults, err)
	}
	l := h.ledger
	t.Logf("%d rounds in %s: %d kills of the gateway and %d of the shipper, %d stops of the database, %d full disks; %d calls reached the server, %d were acknowledged; events: %v",
		rounds, time.Since(began).Round(time.Second), h.gatewayKills, h.shipperKills, h.stops, h.fills, l.calls, l.acks, h.auditor.outcomes)
	if l.acks == 0 || h.auditor.outcomes["unknown"] == 0 {
		t.Error("no call was acknowledged, or none was under way when the gateway was killed")
	}
}

// quietRound kills the gateway while everything else is well.
func (h *house) quietRound() {
	g := h.start()
	d := h.ledger.load(g.Proxy)
	h.work(d, 800)
	h.kill(g, d)
}

// databaseRestarts restarts the database under the gateway, which is killed before, while or after that.
func (h *house) databaseRestarts() {
	g := h.start()
	d := h.ledger.load(g.Proxy)
	h.work(d, 200)
	early := h.choose.IntN(2) == 0
	if early {
		h.kill(g, d)
	}
	testkit.RestartPostgres(h.t, []string{"fast", "immediate"}[h.choose.IntN(2)])
	h.stops++
	if !early {
		h.work(d, 200)
		h.kill(g, d)
	}
}

// databaseDown stops the database, kills the gateway and starts it again meanwhile.
func (h *house) databaseDown() {
	g := h.start()
	d := h.ledger.load(g.Proxy)
	h.work(d, 200)
	start := testkit.StopPostgres(h.t)
	h.stops++
	h.work(d, 200)
	h.kill(g, d)
	g = h.start()
	d = h.ledger.load(g.Proxy)
	h.work(d, 200)
	start()
	h.work(d, 200)
	h.kill(g, d)
}

// diskFull fills the spool's disk, and kills the gateway while it is full or after it was freed.
func (h *house) diskFull() {
	if h.disk == nil {
		h.quietRound()
		return
	}
	g := h.start()
	d := h.ledger.load(g.Proxy)
	h.work(d, 200)
	h.disk.fill(h.t)
	h.fills++
	h.work(d, 1000)
	if h.choose.IntN(2) == 0 {
		h.kill(g, d)
		h.disk.free(h.t)
		return
	}
	h.disk.free(h.t)
	h.work(d, 1000)
	h.kill(g, d)
}

// TestCheckerNoticesASplitTransaction ships with a sink that moves the offset in a transaction of its own, and dies between
// the two: what the crash test looks for must find that events are missing.
func TestCheckerNoticesASplitTransaction(t *testing.T) {
	h := newHouse(t, rand.New(rand.NewPCG(seed(t), 1)))
	h.quietRound()
	h.drain(0)
	if faults, err := h.auditor.check(t.Context(), true); err != nil || len(faults) > 0 {
		t.Fatalf("before: %q, error %v", faults, err)
	}
	g := h.start()
	d := h.ledger.load(g.Proxy)
	start := testkit.StopPostgres(t)
	h.ledger.await(300, patience) // they wait in the spool
	h.kill(g, d)
	start()
	p, _ := h.ship(1)
	<-p.Done()
	h.drain(0)
	faults, err := h.auditor.check(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) == 0 {
		t.Error("the checker finds nothing wrong with a trail whose offset was moved before its events were stored")
	}
	for _, fault := range faults[:min(3, len(faults))] {
		t.Logf("found: %s", fault)
	}
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SARK_CRASH_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SARK_CRASH_SEED: %v", err)
	}
	return n
}

// longer is how long the crash test goes on.
func longer(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SARK_CRASH_DURATION")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SARK_CRASH_DURATION: %v", err)
	}
	return d
}
