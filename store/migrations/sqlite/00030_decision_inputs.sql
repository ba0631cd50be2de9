-- +goose Up
-- What was decided on a recorded input, so that a replay finds the decisions that another policy would turn.
ALTER TABLE decision_inputs ADD COLUMN allow INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision_inputs ADD COLUMN rule TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE decision_inputs DROP COLUMN rule;
ALTER TABLE decision_inputs DROP COLUMN allow;
