-- +goose Up
-- The format in which an event was sealed, which says what its hash covers; NULL is 1. See docs/audit-schema.md, "Formats".
ALTER TABLE audit_events ADD COLUMN format INTEGER;

-- +goose Down
ALTER TABLE audit_events DROP COLUMN format;
