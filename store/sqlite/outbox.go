package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sark/store"
)

func insertChange(ctx context.Context, tx *sql.Tx, c store.Change) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO registry_outbox (subject, subject_id, operation, created_at) VALUES (?, ?, ?, ?)`,
		c.Subject, c.SubjectID, c.Operation, c.CreatedAt.UnixMicro())
	return err
}

// PendingChanges returns the oldest changes of the registry that were not acknowledged, at most limit.
func (d *DB) PendingChanges(ctx context.Context, limit int) ([]store.Change, error) {
	defer d.timer.Observe("pending_changes", time.Now())
	rows, err := d.read.QueryContext(ctx, `SELECT id, subject, subject_id, operation, created_at FROM registry_outbox
		ORDER BY id LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var changes []store.Change
	for rows.Next() {
		var c store.Change
		var at int64
		if err := rows.Scan(&c.ID, &c.Subject, &c.SubjectID, &c.Operation, &at); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		c.CreatedAt = instant(&at)
		changes = append(changes, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return changes, nil
}

// AcknowledgeChange takes a change out of the outbox: every cache has dropped what it held of the subject.
func (d *DB) AcknowledgeChange(ctx context.Context, id int64) error {
	if _, err := d.write.ExecContext(ctx, `DELETE FROM registry_outbox WHERE id = ?`, id); err != nil {
		return fmt.Errorf("acknowledge change %d: %w", id, err)
	}
	return nil
}
