package spool_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/zap"

	"sark/internal/audit"
	"sark/store/spool"
	"sark/store/storetest"
)

// crashFolder names the environment variable that makes this test binary the process to be killed.
const crashFolder = "SARK_SPOOL_CRASH_FOLDER"

// recordUntilKilled announces and records calls from many goroutines, and prints what was acknowledged, until it is killed.
func recordUntilKilled(dir string) {
	s, err := spool.Open(spool.Options{Dir: dir, Log: zap.NewNop(), SegmentBytes: 256 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for g := range 16 {
		go func() {
			for n := g; ; n += 16 {
				e := storetest.Event(n)
				ticket, err := s.Reserve(&e)
				if err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println("intent", e.ExchangeID)
				ticket.Record(&e)
				fmt.Println("event", e.ExchangeID)
			}
		}()
	}
	select {}
}

// TestNothingAcknowledgedIsLost kills a writing process, again and again on one folder, and looks for everything that it had
// acknowledged: an outcome for each event, and exactly one outcome for each intent.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	dir := t.TempDir()
	intents, events := make(map[string]bool), make(map[string]bool)
	for range 6 {
		killAfter(t, dir, 200+rand.IntN(2000), intents, events)
	}
	s := open(t, spool.Options{Dir: dir})
	outcomes := make(map[string][]audit.Outcome)
	for _, e := range contents(t, s) {
		if e.EventType != spool.GapEvent {
			id := e.ExchangeID.String()
			outcomes[id] = append(outcomes[id], e.Outcome)
		}
	}
	for id := range intents {
		if len(outcomes[id]) != 1 {
			t.Errorf("intent %s has the outcomes %q", id, outcomes[id])
		}
	}
	unknown := 0
	for id, o := range outcomes {
		if o[0] == audit.OutcomeUnknown {
			unknown++
		}
		if events[id] && (len(o) != 1 || o[0] == audit.OutcomeUnknown) {
			t.Errorf("acknowledged event %s has the outcomes %q", id, o)
		}
	}
	for id := range events {
		if len(outcomes[id]) == 0 {
			t.Errorf("acknowledged event %s is lost", id)
		}
	}
	t.Logf("%d intents and %d events acknowledged, %d outcomes, %d of them unknown", len(intents), len(events), len(outcomes), unknown)
}

// killAfter runs the process until it has acknowledged a number of things, kills it, and takes in all that it said.
func killAfter(t *testing.T, dir string, lines int, intents, events map[string]bool) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context()) // CommandContext ends the process by SIGKILL
	defer kill()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for n, scan := 0, bufio.NewScanner(out); scan.Scan(); n++ {
		what, id, _ := strings.Cut(scan.Text(), " ")
		switch {
		case what == "intent" && len(id) == 36:
			intents[id] = true
		case what == "event" && len(id) == 36:
			events[id] = true
		case what == "error":
			t.Error(scan.Text())
		}
		if n == lines {
			kill()
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
}
