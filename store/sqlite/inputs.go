package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

const inputColumns = `decision_id, "timestamp", coalesce(policy_revision, ''), input, allow, rule`

// AppendDecisionInputs implements store.InputSink.
func (d *DB) AppendDecisionInputs(ctx context.Context, inputs []store.DecisionInput) error {
	defer d.timer.Observe("append_inputs", time.Now())
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO decision_inputs (decision_id, "timestamp", policy_revision, input, allow, rule)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
		if err != nil {
			return err
		}
		defer stmt.Close() //nolint:errcheck // closed with its transaction at the latest
		for i := range inputs {
			in := &inputs[i]
			if !json.Valid(in.Input) {
				return fmt.Errorf("%w: the input of decision %s is no JSON", store.ErrBadRow, in.DecisionID)
			}
			if _, err := stmt.ExecContext(ctx, in.DecisionID[:], in.Timestamp.UnixMicro(), in.PolicyRevision, string(in.Input), in.Allow, in.Rule); err != nil {
				return rowError(err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append %d decision inputs: %w", len(inputs), err)
	}
	return nil
}

// DecisionInputs implements store.InputReader.
func (d *DB) DecisionInputs(ctx context.Context, since time.Time) iter.Seq2[store.DecisionInput, error] {
	return store.PageInputs(since, func(at time.Time, after uuid.UUID) ([]store.DecisionInput, error) {
		defer d.timer.Observe("decision_inputs", time.Now())
		page, err := d.listInputs(ctx, `WHERE ("timestamp", decision_id) > (?, ?) ORDER BY "timestamp", decision_id LIMIT ?`,
			at.UnixMicro(), after[:], store.InputPage)
		if err != nil {
			return nil, fmt.Errorf("read decision inputs: %w", err)
		}
		return page, nil
	})
}

// DecisionInput implements store.InputReader.
func (d *DB) DecisionInput(ctx context.Context, decision uuid.UUID) (store.DecisionInput, bool, error) {
	defer d.timer.Observe("decision_input", time.Now())
	found, err := d.listInputs(ctx, "WHERE decision_id = ? LIMIT 1", decision[:])
	if err != nil {
		return store.DecisionInput{}, false, fmt.Errorf("read the input of decision %s: %w", decision, err)
	}
	if len(found) == 0 {
		return store.DecisionInput{}, false, nil
	}
	return found[0], true, nil
}

func (d *DB) listInputs(ctx context.Context, where string, args ...any) (page []store.DecisionInput, err error) {
	rows, err := d.read.QueryContext(ctx, "SELECT "+inputColumns+" FROM decision_inputs "+where, args...) // #nosec G202 -- constants of ours
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var in store.DecisionInput
		var id []byte
		var at int64
		var doc string
		if err := rows.Scan(&id, &at, &in.PolicyRevision, &doc, &in.Allow, &in.Rule); err != nil {
			return nil, err
		}
		if in.DecisionID, err = uuid.FromBytes(id); err != nil {
			return nil, err
		}
		in.Timestamp, in.Input = time.UnixMicro(at).UTC(), []byte(doc)
		page = append(page, in)
	}
	return page, rows.Err()
}

// ExpireDecisionInputs deletes the inputs from before a moment, and returns how many there were.
func (d *DB) ExpireDecisionInputs(ctx context.Context, before time.Time) (n int64, err error) {
	defer d.timer.Observe("expire_inputs", time.Now())
	err = d.inTx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `DELETE FROM decision_inputs WHERE "timestamp" < ?`, before.UnixMicro())
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete old decision inputs: %w", err)
	}
	return n, nil
}
