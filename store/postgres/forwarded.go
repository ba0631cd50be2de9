package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

// SetForwarded notes how far the receivers of a writer have got; those that are not named are forgotten.
func (d *DB) SetForwarded(ctx context.Context, writer uuid.UUID, receivers []store.Receiver) error {
	defer d.timer.Observe("set_forwarded", time.Now())
	names, seqs := make([]string, len(receivers)), make([]int64, len(receivers))
	for i, r := range receivers {
		names[i], seqs[i] = r.Name, r.Seq
	}
	c, err := d.audit.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if _, err := c.Exec(ctx, setForwarded, storable([]any{writer, names, seqs})...); err != nil {
		return fmt.Errorf("note what was forwarded: %w", err)
	}
	return nil
}

const setForwarded = `WITH gone AS (DELETE FROM audit_forwarded WHERE writer_id = $1 AND sink <> ALL ($2::text[]))
	INSERT INTO audit_forwarded (writer_id, sink, last_seq, updated_at)
	SELECT $1, sink, seq, now() FROM unnest($2::text[], $3::bigint[]) AS receivers (sink, seq)
	ON CONFLICT (writer_id, sink) DO UPDATE SET last_seq = excluded.last_seq, updated_at = excluded.updated_at`

// Forwarded returns how far the events of some writers are forwarded.
func (d *DB) Forwarded(ctx context.Context, writers []uuid.UUID) (store.Forwarded, error) {
	defer d.timer.Observe("forwarded", time.Now())
	type row struct {
		Writer uuid.UUID
		Seq    int64
	}
	ids := make([]string, len(writers)) // as text, whose type every mode of execution knows
	for i, writer := range writers {
		ids[i] = writer.String()
	}
	rows, err := list(ctx, d.api, pgx.RowToStructByPos[row],
		"SELECT writer_id, min(last_seq) FROM audit_forwarded WHERE writer_id = ANY ($1::text[]::uuid[]) GROUP BY writer_id", ids)
	if err != nil {
		return nil, fmt.Errorf("read what was forwarded: %w", err)
	}
	forwarded := make(store.Forwarded, len(rows))
	for _, r := range rows {
		forwarded[r.Writer] = r.Seq
	}
	return forwarded, nil
}
