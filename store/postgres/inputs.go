package postgres

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

const inputColumns = `decision_id, "timestamp", coalesce(policy_revision, ''), input, allow, rule`

const insertInput = `INSERT INTO decision_inputs (decision_id, "timestamp", policy_revision, input, allow, rule)
	VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`

// AppendDecisionInputs implements store.InputSink.
func (d *DB) AppendDecisionInputs(ctx context.Context, inputs []store.DecisionInput) error {
	defer d.timer.Observe("append_inputs", time.Now())
	if err := d.appendInputs(ctx, inputs); err != nil {
		return fmt.Errorf("append %d decision inputs: %w", len(inputs), err)
	}
	return nil
}

func (d *DB) appendInputs(ctx context.Context, inputs []store.DecisionInput) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	c, err := d.audit.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	b := new(pgx.Batch) // runs in a transaction of its own
	for i := range inputs {
		in := &inputs[i]
		queue(b, insertInput, in.DecisionID, in.Timestamp, in.PolicyRevision, string(in.Input), in.Allow, in.Rule)
	}
	err = c.SendBatch(ctx, b).Close()
	if code := state(err); strings.HasPrefix(code, classData) || strings.HasPrefix(code, classConstraint) {
		return fmt.Errorf("%w: %w", store.ErrBadRow, err)
	}
	return err
}

// DecisionInputs implements store.InputReader.
func (d *DB) DecisionInputs(ctx context.Context, since time.Time) iter.Seq2[store.DecisionInput, error] {
	return store.PageInputs(since, func(at time.Time, after uuid.UUID) ([]store.DecisionInput, error) {
		defer d.timer.Observe("decision_inputs", time.Now())
		page, err := list(ctx, d.api, scanInput, "SELECT "+inputColumns+` FROM decision_inputs WHERE ("timestamp", decision_id) > ($1, $2)
			ORDER BY "timestamp", decision_id LIMIT $3`, at, after, store.InputPage)
		if err != nil {
			return nil, fmt.Errorf("read decision inputs: %w", err)
		}
		return page, nil
	})
}

// DecisionInput implements store.InputReader.
func (d *DB) DecisionInput(ctx context.Context, decision uuid.UUID) (store.DecisionInput, bool, error) {
	defer d.timer.Observe("decision_input", time.Now())
	found, err := list(ctx, d.api, scanInput, "SELECT "+inputColumns+" FROM decision_inputs WHERE decision_id = $1 LIMIT 1", decision)
	if err != nil {
		return store.DecisionInput{}, false, fmt.Errorf("read the input of decision %s: %w", decision, err)
	}
	if len(found) == 0 {
		return store.DecisionInput{}, false, nil
	}
	return found[0], true, nil
}

func scanInput(row pgx.CollectableRow) (in store.DecisionInput, err error) {
	err = row.Scan(&in.DecisionID, &in.Timestamp, &in.PolicyRevision, &in.Input, &in.Allow, &in.Rule)
	in.Timestamp = in.Timestamp.UTC()
	return in, err
}

// ExpireDecisionInputs deletes the inputs from before a moment, and returns how many there were.
func (d *DB) ExpireDecisionInputs(ctx context.Context, before time.Time) (int64, error) {
	defer d.timer.Observe("expire_inputs", time.Now())
	c, err := d.audit.acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("delete old decision inputs: %w", err)
	}
	defer c.Release()
	tag, err := c.Exec(ctx, `DELETE FROM decision_inputs WHERE "timestamp" < $1`, before)
	if err != nil {
		return 0, fmt.Errorf("delete old decision inputs: %w", err)
	}
	return tag.RowsAffected(), nil
}
