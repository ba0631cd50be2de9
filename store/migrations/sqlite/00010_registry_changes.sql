-- +goose Up
-- The revision rises with every change, so that a change of an older state is refused.
ALTER TABLE mcp_servers ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

-- What the names and words of a discovered tool suggest, beside the level that is in force.
ALTER TABLE mcp_tools ADD COLUMN suggested_level TEXT NOT NULL DEFAULT '';
ALTER TABLE mcp_tools ADD COLUMN suggested_by TEXT NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE mcp_tools DROP COLUMN suggested_by;
ALTER TABLE mcp_tools DROP COLUMN suggested_level;
ALTER TABLE mcp_servers DROP COLUMN revision;
