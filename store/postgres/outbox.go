package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store"
)

func queueChange(b *pgx.Batch, c store.Change) {
	queue(b, `INSERT INTO registry_outbox (subject, subject_id, operation, created_at) VALUES ($1, $2, $3, $4)`,
		c.Subject, c.SubjectID, c.Operation, c.CreatedAt)
}

// PendingChanges returns the oldest changes of the registry that were not acknowledged, at most limit.
func (d *DB) PendingChanges(ctx context.Context, limit int) ([]store.Change, error) {
	defer d.timer.Observe("pending_changes", time.Now())
	changes, err := list(ctx, d.api, scanChange, `SELECT id, subject, subject_id, operation, created_at FROM registry_outbox
		ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return changes, nil
}

func scanChange(row pgx.CollectableRow) (c store.Change, err error) {
	err = row.Scan(&c.ID, &c.Subject, &c.SubjectID, &c.Operation, &c.CreatedAt)
	return c, err
}

// AcknowledgeChange takes a change out of the outbox: every cache has dropped what it held of the subject.
func (d *DB) AcknowledgeChange(ctx context.Context, id int64) error {
	defer d.timer.Observe("acknowledge_change", time.Now())
	if _, err := d.exec(ctx, `DELETE FROM registry_outbox WHERE id = $1`, id); err != nil {
		return fmt.Errorf("acknowledge change %d: %w", id, err)
	}
	return nil
}
