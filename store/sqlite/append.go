package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// AppendEvents stores the tuples of a writer and moves its offset from after to last, together or not at all. Numbers in
// between that have no tuple are passed over. It wraps store.ErrFenced when the offset is not after, and store.ErrBadRow
// when a row can never be stored.
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

// appendBatch holds the connection of all writers, so that they take turns, and writes by another one, see raw.
func (d *DB) appendBatch(ctx context.Context, b store.Batch) (err error) {
	turn, err := d.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, turn.Close()) }()
	if d.inserter.closed() {
		return sql.ErrConnDone
	}
	if err := d.inserter.r.begin(ctx); err != nil {
		return err
	}
	if err := d.appendInTx(ctx, b); err != nil {
		return errors.Join(err, d.inserter.r.rollback())
	}
	if err := d.inserter.r.exec("COMMIT"); err != nil {
		return errors.Join(err, d.inserter.r.rollback())
	}
	return nil
}

func (d *DB) appendInTx(ctx context.Context, b store.Batch) error {
	r := d.inserter.r
	if err := d.moveOffset(r, b.Writer, b.After, b.Last); err != nil {
		return err
	}
	for _, tuple := range b.Tuples {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.inserter.insert(tuple); err != nil {
			return err
		}
	}
	for _, hour := range store.HoursOf(b.Tuples) {
		if _, err := r.change(noteHourStatement, hour.UnixMicro()); err != nil {
			return fmt.Errorf("note hours: %w", err)
		}
	}
	return insertDigest(r, b.Digest)
}

// moveOffset is the fence: it touches exactly the row that has the expected offset.
func (d *DB) moveOffset(r *raw, writer uuid.UUID, after, last int64) error {
	now := d.now().UnixMicro()
	if after == 0 {
		if _, err := r.change(`INSERT INTO audit_writer_offset (writer_id, last_seq, updated_at) VALUES (?, 0, ?)
			ON CONFLICT DO NOTHING`, writer[:], now); err != nil {
			return err
		}
	}
	n, err := r.change(`UPDATE audit_writer_offset SET last_seq = ?, updated_at = ? WHERE writer_id = ? AND last_seq = ?`,
		last, now, writer[:], after)
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("move offset of writer %s from %d: %w", writer, after, store.ErrFenced)
	}
	return nil
}

// rowError tells a row that can never be stored from trouble that passes.
func rowError(err error) error {
	switch code(err) & 0xff {
	case codeTooBig, codeConstraint, codeMismatch:
		return fmt.Errorf("%w: %w", store.ErrBadRow, err)
	}
	return err
}

// Offset returns the number of the writer's last event that was stored, 0 when there is none.
func (d *DB) Offset(ctx context.Context, writer uuid.UUID) (int64, error) {
	var seq int64
	err := d.read.QueryRowContext(ctx, `SELECT last_seq FROM audit_writer_offset WHERE writer_id = ?`, writer[:]).Scan(&seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read offset of writer %s: %w", writer, err)
	}
	return seq, nil
}

// Checkpoint makes everything that was stored survive a power cut: after it, a spool may drop what it still holds of it.
func (d *DB) Checkpoint(ctx context.Context) error {
	defer d.timer.Observe("checkpoint", time.Now())
	var busy, frames, moved int
	err := d.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(FULL)`).Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("a reader is in the way")
	}
	if err != nil {
		return fmt.Errorf("checkpoint sqlite: %w", err)
	}
	return nil
}

func insertStatement() string {
	marks := strings.TrimSuffix(strings.Repeat("?, ", audit.ColumnCount), ", ")
	return "INSERT INTO audit_events (" + columnList() + ") VALUES (" + marks + ")"
}

func columnList() string {
	var names []string
	for _, c := range audit.Columns() {
		names = append(names, `"`+c.Name+`"`)
	}
	return strings.Join(names, ", ")
}
