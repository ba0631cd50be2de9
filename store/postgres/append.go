package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sark/internal/audit"
	"sark/store"
)

// The times after which a batch is given up, to be tried again. The server lets go of a batch whose gateway died after
// abandonAfter, so that the writer's offset is not locked for ever.
const (
	appendTimeout   = time.Minute
	rollbackTimeout = 5 * time.Second
	abandonAfter    = "60s"
)

// beginBatch begins the transaction of a batch. READ COMMITTED is what makes the fence see an offset that another
// connection has just moved.
const beginBatch = `BEGIN ISOLATION LEVEL READ COMMITTED`

// guardBatch sets abandonAfter for the transaction, and raises synchronous_commit when the server has it off: what we report
// as stored must survive the server's crash, for the spool then forgets it.
const guardBatch = `SELECT set_config('idle_in_transaction_session_timeout', '` + abandonAfter + `', true),
	set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
		ELSE current_setting('synchronous_commit') END, true)`

// AppendEvents stores the tuples of a writer and moves its offset from after to last, together or not at all. Numbers in
// between that have no tuple are passed over. It wraps store.ErrFenced when the offset is not after, and store.ErrBadRow
// when a row can never be stored. Any other error may also mean that everything was stored: ask Offset.
func (d *DB) AppendEvents(ctx context.Context, writer uuid.UUID, after, last int64, tuples [][]byte) error {
	return d.AppendBatch(ctx, store.Batch{Writer: writer, After: after, Last: last, Tuples: tuples})
}

// AppendBatch is AppendEvents, and stores the batch's digest in the same transaction.
func (d *DB) AppendBatch(ctx context.Context, b store.Batch) error {
	defer d.timer.Observe("append_events", time.Now())
	if err := d.appendBatch(ctx, b); err != nil {
		return fmt.Errorf("append %d events: %w", len(b.Tuples), err)
	}
	return nil
}

func (d *DB) appendBatch(ctx context.Context, b store.Batch) error {
	// That a tuple ends where it should is cheap to see. The rest is the spool's checksum to prove, and the server's to check.
	for _, tuple := range b.Tuples {
		if _, _, _, err := audit.Place(tuple); err != nil {
			return fmt.Errorf("%w: %w", store.ErrBadRow, err)
		}
		if audit.TupleFormat(tuple) == 0 {
			return fmt.Errorf("%w: %w: wrong number of columns", store.ErrBadRow, audit.ErrTuple)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	err := d.appendInTx(ctx, b)
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	// A table that was changed under us refuses every row. That is no reason to set them aside.
	switch changed, checkErr := d.checkColumns(ctx); {
	case checkErr != nil:
		return errors.Join(err, checkErr)
	case changed:
		return fmt.Errorf("the columns of audit_events have changed, the next batch will be in their form: %w", refused.cause)
	case refused.forever(b.Tuples):
		return fmt.Errorf("%w: %w", store.ErrBadRow, err)
	}
	return err
}

func (d *DB) appendInTx(ctx context.Context, b store.Batch) error {
	c, err := d.audit.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // closes the connection when it is still in a transaction
	if err := d.moveOffset(ctx, c, b); err != nil {
		return errors.Join(err, rollback(ctx, c))
	}
	if err := d.copyEvents(ctx, c.Conn(), b.Tuples); err != nil {
		return errors.Join(d.refusal(err), rollback(ctx, c))
	}
	tag, err := c.Exec(ctx, "COMMIT")
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("commit: the server answered %s", tag)
	}
	return nil
}

// moveOffset begins the transaction, stores the digest and is the fence, in one round trip: it touches exactly the row that
// has the expected offset. When another connection is about to commit the same batch, such as one that was lost in its
// COMMIT, it waits for that one to end and then finds another offset.
func (d *DB) moveOffset(ctx context.Context, c *pgxpool.Conn, b store.Batch) error {
	q := new(pgx.Batch)
	q.Queue(beginBatch)
	q.Queue(guardBatch)
	if b.After == 0 {
		q.Queue(`INSERT INTO audit_writer_offset (writer_id, last_seq, updated_at) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING`,
			b.Writer, d.now())
	}
	q.Queue(`UPDATE audit_writer_offset SET last_seq = $1, updated_at = $2,
			login = CASE WHEN row_security_active('audit_writer_offset') THEN current_user ELSE login END
		WHERE writer_id = $3 AND last_seq = $4`,
		b.Last, d.now(), b.Writer, b.After).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("move offset of writer %s from %d: %w", b.Writer, b.After, store.ErrFenced)
		}
		return nil
	})
	queueDigest(q, b.Digest)
	queueHours(q, b.Tuples)
	if err := c.SendBatch(ctx, q).Close(); err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	return nil
}

// rollback leaves the connection as it was, unless it is lost anyway.
func rollback(ctx context.Context, c *pgxpool.Conn) error {
	if c.Conn().IsClosed() || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	if _, err := c.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// Offset returns the number of the writer's last event that was stored, 0 when there is none.
func (d *DB) Offset(ctx context.Context, writer uuid.UUID) (int64, error) {
	seq, err := d.offset(ctx, writer)
	if err != nil {
		return 0, fmt.Errorf("read offset of writer %s: %w", writer, err)
	}
	return seq, nil
}

func (d *DB) offset(ctx context.Context, writer uuid.UUID) (seq int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	c, err := d.audit.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	err = c.QueryRow(ctx, `SELECT last_seq FROM audit_writer_offset WHERE writer_id = $1`, writer).Scan(&seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}
