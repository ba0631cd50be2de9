package crash_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"sark/store"
	"sark/store/postgres"
	"sark/store/spool"
)

// shipment is what a shipper alone is told, in a JSON file.
type shipment struct {
	Spool, DataDir, URL string
	Batch               int
	// Split moves the sink's offset in a transaction of its own, and dies between the two in the batch of this number; 0
	// never.
	Split int
}

// ship brings a spool's events into the database, says so when it begins and when everything is there, and exits with 0.
func ship(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var o shipment
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	s, err := spool.Open(spool.Options{Dir: o.Spool, Log: zap.NewNop()})
	if err != nil {
		return err
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: o.URL, PoolSize: 1, AuditPoolSize: 1, Log: zap.NewNop()})
	if err != nil {
		return err
	}
	key, err := store.OpenDigestKey(digestKey(o.DataDir))
	if err != nil {
		return err
	}
	shipper, err := store.NewShipper(store.ShipperOptions{
		Source: s, Sink: &splitting{DB: db, url: o.URL, dieAt: o.Split}, Batch: o.Batch, Key: key,
		DeadDir: filepath.Join(o.Spool, "dead"), Log: zap.NewNop(),
	})
	if err != nil {
		return err
	}
	fmt.Println("begin")
	if err := shipper.Flush(ctx); err != nil {
		return err
	}
	if err := errors.Join(s.Close(ctx), db.Close()); err != nil {
		return err
	}
	fmt.Println("done")
	os.Exit(0)
	return nil
}

// splitting is a sink that does what it must never do, when it is told to: it moves the offset and stores the events in two
// transactions.
type splitting struct {
	*postgres.DB
	url   string
	dieAt int
	batch int
}

// AppendBatch implements store.DigestSink.
func (s *splitting) AppendBatch(ctx context.Context, b store.Batch) error {
	if s.batch++; s.batch != s.dieAt {
		return s.DB.AppendBatch(ctx, b)
	}
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `UPDATE audit_writer_offset SET last_seq = $1 WHERE writer_id = $2`, b.Last, b.Writer); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil { // between the two
		return errors.Join(err, db.Close())
	}
	select {}
}
