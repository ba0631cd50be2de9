package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sark/internal/rig"
	"sark/internal/testkit"
)

// patience bounds every single wait.
const patience = 60 * time.Second

// house is a gateway that is started and killed, with its database, its disk and the MCP server behind it.
type house struct {
	t        *testing.T
	choose   *rand.Rand
	dir      string // of data and configuration
	spool    string
	disk     *disk // nil where none can be made
	url      string
	upstream string
	ledger   *ledger
	auditor  *auditor
	log      *output

	gatewayKills, shipperKills, stops, fills int
}

func newHouse(t *testing.T, choose *rand.Rand) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "sark") // short, for the unix socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	h := &house{t: t, choose: choose, dir: dir, spool: filepath.Join(dir, "disk"), ledger: newLedger(), log: new(output)}
	h.disk = newDisk(t, h.spool)
	h.url, h.upstream = testkit.Postgres(t), h.ledger.serve(t)
	h.auditor = newAuditor(t, h.ledger, h.url, filepath.Join(dir, "data"), h.spool)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes said last:\n%s", h.log.tail())
		}
	})
	return h
}

// start starts the gateway. Its batches wait for a moment or for longer than it will live, so that the spool holds much.
func (h *house) start() *rig.Gateway {
	h.t.Helper()
	interval := []string{"5ms", "1m"}[h.choose.IntN(2)]
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	g, err := rig.StartGateway(ctx, rig.GatewayOptions{
		Binary: os.Args[0], Dir: h.dir, Upstream: h.upstream, Log: h.log,
		Sections: map[string]any{
			"authn": map[string]any{"anonymous": map[string]any{"allow": true, "roles": []string{"admin"}}},
			"audit": map[string]any{
				"spool_dir": h.spool, "max_bytes": "16MiB", "min_free": "off", "batch_interval": interval,
				"batch_rows": 1 + h.choose.IntN(300),
			},
			"store": map[string]any{"url": h.url},
			"log":   map[string]any{"level": "error"},
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// work loads a gateway for some replies.
func (h *house) work(d *load, n int) { h.ledger.await(int64(20+h.choose.IntN(n)), 3*time.Second) }

// kill kills a gateway under load.
func (h *house) kill(g *rig.Gateway, d *load) {
	h.t.Helper()
	if err := g.Kill(); err != nil {
		h.t.Error(err)
	}
	h.gatewayKills++
	d.end()
	h.ledger.settle()
}

// drain ships what the gateway has left behind, by shippers that are killed while they do, and a last one that is not.
func (h *house) drain(kills int) {
	h.t.Helper()
	for range kills {
		p, said := h.ship(0)
		if strings.Contains(said(), "begin") {
			h.shipFor(p, time.Duration(h.choose.IntN(30_000))*time.Microsecond)
		}
	}
	p, said := h.ship(0)
	select {
	case <-p.Done():
	case <-time.After(patience):
	}
	if err := p.Stop(); err != nil || !strings.Contains(said(), "done") {
		h.t.Fatalf("the spool cannot be shipped: %v, %q", err, said())
	}
}

// shipFor kills a shipper after a time, unless it was done before.
func (h *house) shipFor(p *rig.Process, after time.Duration) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-p.Done():
		return
	case <-timer.C:
	}
	if p.Kill() == nil {
		h.shipperKills++
	}
}

// ship starts a shipper alone and returns when it begins. said is what it printed so far.
func (h *house) ship(split int) (p *rig.Process, said func() string) {
	h.t.Helper()
	text, err := json.Marshal(shipment{
		Spool: h.spool, DataDir: filepath.Join(h.dir, "data"), URL: h.url, Batch: 1 + h.choose.IntN(100), Split: split,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	file := filepath.Join(h.dir, "shipment.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	out := &output{begun: make(chan struct{})}
	p, err = rig.Start("shipper", []string{os.Args[0], "ship", file}, io.MultiWriter(out, h.log))
	if err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-out.begun:
	case <-p.Done():
	case <-time.After(patience):
		h.t.Error("the shipper does not begin")
	}
	return p, out.tail
}

// output keeps the end of what processes print.
type output struct {
	mu    sync.Mutex
	text  []byte
	begun chan struct{} // closed with the first line; nil: nobody waits
	once  sync.Once
	alarm []byte // what was printed from the first line on that has one of alarms
}

// alarms are what a gateway must never print.
var alarms = []string{"panic", "DATA RACE", "BUG:", "fatal error"}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const keep = 8 << 10
	if o.alarm != nil || slices.ContainsFunc(alarms, func(a string) bool { return bytes.Contains(p, []byte(a)) }) {
		o.alarm = append(o.alarm, p[:min(len(p), max(0, 2*keep-len(o.alarm)))]...)
	}
	if o.text = append(o.text, p...); len(o.text) > keep {
		o.text = append(o.text[:0], o.text[len(o.text)-keep:]...)
	}
	if o.begun != nil && bytes.Contains(o.text, []byte("\n")) {
		o.once.Do(func() { close(o.begun) })
	}
	return len(p), nil
}

// alarmed is what was printed that must never be, and what came after it.
func (o *output) alarmed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.alarm)
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
