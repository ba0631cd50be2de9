package siem_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/store/siem"
	"sark/store/spool"
	"sark/store/storetest"
)

const (
	crashFolder  = "SARK_TEST_SIEM_CRASH_DIR"
	crashAddress = "SARK_TEST_SIEM_CRASH_URL"
	crashRounds  = 8
)

// sendUntilKilled records events and sends them, as fast as it can.
func sendUntilKilled(dir, url string) {
	s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), SegmentBytes: 64 << 10, Log: zap.NewNop()})
	fatal(err)
	sink, err := siem.NewWebhook(siem.WebhookOptions{HTTPOptions: siem.HTTPOptions{URL: url}})
	fatal(err)
	l, err := siem.Open(siem.Options{
		Name: "test", Sink: sink, Dir: filepath.Join(dir, "siem"), Writer: s.Writer(), Spool: s.NewCursor(), Last: s.Last,
		Batch: 10, Interval: time.Millisecond, FromBeginning: true, Log: zap.NewNop(),
		OpenTrail: func(context.Context) (siem.Trail, error) { return nil, os.ErrNotExist },
	})
	fatal(err)
	go l.Run(context.Background())
	for n := 0; ; n++ {
		ticket, err := s.Reserve(nil)
		fatal(err)
		e := storetest.Event(n)
		ticket.Record(&e)
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestKilled kills the gateway again and again while it sends: the receiver gets every event of the spool, in order, some twice.
func TestKilled(t *testing.T) {
	dir, r := t.TempDir(), newReceiver(t)
	for round := range crashRounds {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), crashFolder+"="+dir, crashAddress+"="+r.URL)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		r.await(len(r.taken()) + 40 + round)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // its error is that it was killed
	}
	s, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "spool"), Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is lost by it
	l := open(t, siem.Options{
		Name: "test", Sink: webhook(t, r.URL), Dir: filepath.Join(dir, "siem"), Writer: s.Writer(), Spool: s.NewCursor(), Last: s.Last,
		Log: zap.NewNop(), OpenTrail: func(context.Context) (siem.Trail, error) { return nil, os.ErrNotExist },
	})
	flush(t, l)

	if diff := cmp.Diff(numbers(1, s.Last()), once(r.taken())); diff != "" {
		t.Errorf("events that the receiver has (-want +got):\n%.2000s", diff)
	}
	t.Logf("%d events, %d arrived", s.Last(), len(r.taken()))
}
