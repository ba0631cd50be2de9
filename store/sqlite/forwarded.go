package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// SetForwarded notes how far the receivers of a writer have got; those that are not named are forgotten.
func (d *DB) SetForwarded(ctx context.Context, writer uuid.UUID, receivers []store.Receiver) error {
	defer d.timer.Observe("set_forwarded", time.Now())
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM audit_forwarded WHERE writer_id = ?", writer[:]); err != nil {
			return err
		}
		for _, r := range receivers {
			_, err := tx.ExecContext(ctx, "INSERT INTO audit_forwarded (writer_id, sink, last_seq, updated_at) VALUES (?, ?, ?, ?)",
				writer[:], r.Name, r.Seq, d.now().UnixMicro())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what was forwarded: %w", err)
	}
	return nil
}

// Forwarded returns how far the events of some writers are forwarded.
func (d *DB) Forwarded(ctx context.Context, writers []uuid.UUID) (store.Forwarded, error) {
	defer d.timer.Observe("forwarded", time.Now())
	forwarded := make(store.Forwarded)
	if len(writers) == 0 {
		return forwarded, nil
	}
	args := make([]any, len(writers))
	for i := range writers {
		args[i] = writers[i][:]
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(writers)), ", ")
	query := "SELECT writer_id, min(last_seq) FROM audit_forwarded WHERE writer_id IN (" + marks + ") GROUP BY writer_id" //nolint:gosec // marks are question marks
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read what was forwarded: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	for rows.Next() {
		var id []byte
		var seq int64
		if err := rows.Scan(&id, &seq); err != nil {
			return nil, fmt.Errorf("read what was forwarded: %w", err)
		}
		writer, err := uuid.FromBytes(id)
		if err != nil {
			return nil, fmt.Errorf("read what was forwarded: %w", err)
		}
		forwarded[writer] = seq
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was forwarded: %w", err)
	}
	return forwarded, nil
}
