package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"sark/store"
	"sark/store/siem"
)

const (
	// forwardingInterval is how far the database may be behind the receivers, when it answers.
	forwardingInterval = time.Second
	// forwardingTimeout bounds one report.
	forwardingTimeout = 2 * time.Second
)

// forwarder keeps how far receivers have got.
type forwarder interface {
	SetForwarded(ctx context.Context, writer uuid.UUID, receivers []store.Receiver) error
}

// forwarding tells the database how far the receivers have got, from which the trail's API derives siem_forwarded. What
// receivers get depends on the lanes' own files alone: a report that fails is made again, and meanwhile the database says of
// too few events that they are forwarded, never of too many.
type forwarding struct {
	lanes  []*siem.Lane
	writer uuid.UUID
	db     forwarder
	log    *zap.Logger

	told    []store.Receiver // what the database has; nil: unknown. Owned by run until it has ended
	failing bool
}

// run reports until ctx ends. Its first report also forgets the receivers that are no longer configured.
func (f *forwarding) run(ctx context.Context) {
	tick := time.NewTicker(forwardingInterval)
	defer tick.Stop()
	for {
		f.report(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report tells what has changed since the last report.
func (f *forwarding) report(ctx context.Context) {
	now := make([]store.Receiver, len(f.lanes))
	for i, lane := range f.lanes {
		now[i] = store.Receiver{Name: lane.Name(), Seq: lane.Offset()}
	}
	if f.told != nil && slices.Equal(now, f.told) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, forwardingTimeout)
	defer cancel()
	err := f.db.SetForwarded(ctx, f.writer, now)
	if err == nil {
		f.told, f.failing = now, false
		return
	}
	if !f.failing && !errors.Is(ctx.Err(), context.Canceled) {
		f.failing = true
		f.log.Warn("the database cannot be told what receivers have; siem_forwarded is behind", zap.Error(err))
	}
}

// forgetReceivers tells the database that this gateway has no receivers any more, if it ever had some. While it does not
// succeed, the events that follow are said not to be forwarded.
func (g *gateway) forgetReceivers() error {
	_, err := os.Stat(filepath.Join(g.c.SpoolDir(), "siem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for receivers of before: %w", err)
	}
	f := &forwarding{writer: g.spool.Writer(), db: g.db, log: g.log}
	g.life.background("forwarding", f.run)
	return nil
}
