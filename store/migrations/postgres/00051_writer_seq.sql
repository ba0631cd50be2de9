-- +goose Up
-- The trail of a writer in the order of its numbers: to verify it, and to go on for a receiver that was away. Numbers rise, so
-- each event goes to the end of its writer's.
CREATE INDEX IF NOT EXISTS idx_audit_events_writer_seq ON audit_events (writer_id, seq);

-- +goose Down
DROP INDEX idx_audit_events_writer_seq;
