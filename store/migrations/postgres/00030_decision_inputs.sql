-- +goose Up
-- What was decided on a recorded input, so that a replay finds the decisions that another policy would turn.
ALTER TABLE decision_inputs ADD COLUMN allow boolean NOT NULL DEFAULT false;
ALTER TABLE decision_inputs ADD COLUMN rule text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE decision_inputs DROP COLUMN rule;
ALTER TABLE decision_inputs DROP COLUMN allow;
