package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"sark/configs"
	"sark/store"
	"sark/store/spool"
)

// DigestKeyPath is where the key is that signs the audit trail of a data directory.
func DigestKeyPath(dataDir string) string { return filepath.Join(dataDir, "audit-digest.key") }

// openSpool opens the way of an event out of this process: the spool, and the shipper that carries it into the store. On the
// way down the shipper is stopped first and what is left in the spool is carried over then, so that an event of the last
// call is in the store too. What the store cannot take stays in the spool for the next start.
func (g *gateway) openSpool(context.Context) (err error) {
	g.spool, err = spool.Open(spool.Options{
		Dir: g.c.SpoolDir(), MaxBytes: int64(g.c.Audit.MaxBytes), MaxAge: g.c.Audit.MaxAge, MinFree: int64(g.c.Audit.MinFree),
		RefusalsPerMinute: bounded(g.c.Audit.RefusalsPerMinute),
		Durability:        durability(g.c.Audit.Durability), OnFull: onFull(g.c.Audit.OnFull),
		Log: g.log, Metrics: g.metrics,
	})
	if err != nil {
		return err
	}
	g.life.onStop("audit spool", g.spool.Close)
	g.signer, err = store.OpenDigestKey(DigestKeyPath(g.c.DataDir))
	if err != nil {
		return err
	}
	g.log.Info("the audit trail is signed", zap.String("public_key", store.FormatPublicKey(g.signer.Public())), zap.Stringer("writer_id", g.spool.Writer()))
	file, err := g.openDigestFile()
	if err != nil {
		return err
	}
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: g.spool, Sink: g.db, Key: g.signer, DigestFile: file, Batch: g.c.Audit.BatchRows, Interval: g.c.Audit.BatchInterval,
		DeadDir: filepath.Join(g.c.SpoolDir(), "dead"), Log: g.log, Metrics: g.metrics, LongestPause: longestPause(g.c),
	})
	if err != nil {
		return err
	}
	g.integrity = &integrity{spool: g.spool, shipper: shipper, key: g.signer}
	g.lag = shipper.Lag
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // buffered: the result waits for the stop
	go func() { done <- shipper.Run(ctx) }()
	g.life.onStop("audit shipper", func(bounded context.Context) error {
		cancel()
		return errors.Join(<-done, shipper.Flush(bounded))
	})
	return nil
}

// longestPause bounds how long the shipper leaves a database alone that refuses events. A server that comes back should not be
// run over by all of its gateways; a file in which another process was writing has this gateway only.
func longestPause(c *configs.Config) time.Duration {
	if c.Store.URL == "" {
		return time.Second
	}
	return store.DefaultPause
}

// openDigestFile opens the copy of the digests, nil when none is kept.
func (g *gateway) openDigestFile() (*store.DigestFile, error) {
	path := g.c.Audit.DigestFile
	if path == "" {
		return nil, nil //nolint:nilnil // none is kept
	}
	file, err := store.OpenDigestFile(store.DigestFileOptions{Path: path, Sync: true})
	if err != nil {
		return nil, fmt.Errorf("audit.digest_file: %w", err)
	}
	g.life.onStop("audit digest file", func(context.Context) error { return file.Close() })
	return file, nil
}
