-- +goose Up
-- What retention has removed: everything that was stored before the cutoff. Signed, so that a gap cannot be explained away.
CREATE TABLE audit_retention (
    cutoff     INTEGER NOT NULL PRIMARY KEY,
    rule       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    key_id     TEXT NOT NULL,
    signature  BLOB NOT NULL
) STRICT;

-- Counts by the hour, for dashboards. An empty text stands for NULL.
CREATE TABLE audit_rollups (
    hour        INTEGER NOT NULL,
    server_id   TEXT NOT NULL,
    server_name TEXT NOT NULL,
    tool_name   TEXT NOT NULL,
    decision    TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    events      INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    upstream_us INTEGER NOT NULL,
    bytes_in    INTEGER NOT NULL,
    bytes_out   INTEGER NOT NULL,
    PRIMARY KEY (hour, server_id, server_name, tool_name, decision, outcome)
) STRICT;

-- The hours whose events have changed since they were counted, written in the transaction that changes them.
CREATE TABLE audit_rollup_dirty (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    hour INTEGER NOT NULL
) STRICT;

INSERT INTO audit_rollup_dirty (hour) SELECT DISTINCT "timestamp" / 3600000000 * 3600000000 FROM audit_events;

-- +goose Down
DROP TABLE audit_rollup_dirty;
DROP TABLE audit_rollups;
DROP TABLE audit_retention;
