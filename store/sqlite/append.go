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
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		if err := d.moveOffset(ctx, tx, b.Writer, b.After, b.Last); err != nil {
			return err
		}
		if err := d.insertEvents(ctx, tx, b.Tuples); err != nil {
			return err
		}
		if err := noteHours(ctx, tx, b.Tuples); err != nil {
			return err
		}
		return insertDigest(ctx, tx, b.Digest)
	})
	if err != nil {
		return fmt.Errorf("append %d events: %w", len(b.Tuples), err)
	}
	return nil
}

// moveOffset is the fence: it touches exactly the row that has the expected offset.
func (d *DB) moveOffset(ctx context.Context, tx *sql.Tx, writer uuid.UUID, after, last int64) error {
	now := d.now().UnixMicro()
	if after == 0 {
		if _, err := tx.ExecContext(ctx, `INSERT INTO audit_writer_offset (writer_id, last_seq, updated_at) VALUES (?, 0, ?)
			ON CONFLICT DO NOTHING`, writer[:], now); err != nil {
			return err
		}
	}
	r, err := tx.ExecContext(ctx, `UPDATE audit_writer_offset SET last_seq = ?, updated_at = ? WHERE writer_id = ? AND last_seq = ?`,
		last, now, writer[:], after)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("move offset of writer %s from %d: %w", writer, after, store.ErrFenced), err)
	}
	return nil
}

func (d *DB) insertEvents(ctx context.Context, tx *sql.Tx, tuples [][]byte) error {
	if len(tuples) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, d.insert)
	if err != nil {
		return err
	}
	defer stmt.Close() //nolint:errcheck // closed with its transaction at the latest
	columns := audit.Columns()
	values := make([]any, len(columns))
	for _, tuple := range tuples {
		if err := bindTuple(values, columns, tuple); err != nil {
			return fmt.Errorf("%w: %w", store.ErrBadRow, err)
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return rowError(err)
		}
	}
	return nil
}

func bindTuple(values []any, columns []audit.Column, tuple []byte) error {
	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		return err
	}
	if _, err := audit.DecodeTuple(tuple); err != nil { // a field of the wrong form must not be bound
		return err
	}
	for i, c := range columns {
		v, err := bind(c.Type, fields[i])
		if err != nil {
			return err
		}
		values[i] = v
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
