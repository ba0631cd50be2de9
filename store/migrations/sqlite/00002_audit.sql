-- +goose Up
-- The columns and their order are those of package audit. The time is part of the key because partitioned tables need it there.
CREATE TABLE audit_events (
    id                    BLOB NOT NULL,
    "timestamp"           INTEGER NOT NULL,
    class_uid             INTEGER NOT NULL,
    event_type            TEXT NOT NULL,
    severity              TEXT NOT NULL,
    phase                 TEXT NOT NULL,
    outcome               TEXT,
    decision              TEXT,
    rule                  TEXT,
    reason                TEXT,
    exchange_id           BLOB,
    decision_id           BLOB,
    policy_id             TEXT,
    policy_revision       TEXT,
    tier                  TEXT,
    shadow                TEXT,
    user_id               TEXT,
    user_email            TEXT,
    principal_type        TEXT,
    user_roles            TEXT,
    auth_method           TEXT,
    principal_attributes  TEXT,
    client_id             TEXT,
    session_id            TEXT,
    action_operation      TEXT,
    resource_type         TEXT,
    method                TEXT,
    server_id             TEXT,
    server_name           TEXT,
    tool_name             TEXT,
    resource              TEXT,
    sensitivity           TEXT,
    arguments_hash        TEXT,
    action_parameters     TEXT,
    request_id            TEXT,
    trace_id              TEXT,
    span_id               TEXT,
    ip_address            TEXT,
    user_agent            TEXT,
    http_method           TEXT,
    path                  TEXT,
    protocol_version      TEXT,
    era                   TEXT,
    status_code           INTEGER NOT NULL,
    rpc_code              INTEGER NOT NULL,
    success               INTEGER NOT NULL,
    error_message         TEXT,
    cache_status          TEXT,
    duration_us           INTEGER NOT NULL,
    upstream_us           INTEGER NOT NULL,
    bytes_in              INTEGER NOT NULL,
    bytes_out             INTEGER NOT NULL,
    environment           TEXT,
    cost                  REAL NOT NULL,
    retention_until       INTEGER,
    details               TEXT,
    writer_id             BLOB NOT NULL,
    seq                   INTEGER NOT NULL,
    hash                  BLOB NOT NULL,
    PRIMARY KEY (id, "timestamp")
) STRICT;

CREATE INDEX idx_audit_events_user_time ON audit_events (user_id, "timestamp" DESC);
CREATE INDEX idx_audit_events_type_time ON audit_events (event_type, "timestamp" DESC);
CREATE INDEX idx_audit_events_server_time ON audit_events (server_id, "timestamp" DESC);
CREATE INDEX idx_audit_events_severity ON audit_events (severity, "timestamp" DESC) WHERE severity IN ('high', 'critical');

-- Pages are read newest first after a (timestamp, id) key.
CREATE INDEX idx_audit_events_time_id ON audit_events ("timestamp" DESC, id DESC);
CREATE INDEX idx_audit_events_server_name_time ON audit_events (server_name, "timestamp" DESC);
CREATE INDEX idx_audit_events_tool_time ON audit_events (tool_name, "timestamp" DESC) WHERE tool_name IS NOT NULL;

-- One row per writer: the number of its last event that was stored, changed in the transaction that stores it.
CREATE TABLE audit_writer_offset (
    writer_id  BLOB NOT NULL PRIMARY KEY,
    last_seq   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One signed digest per batch of a writer's chain.
CREATE TABLE audit_digests (
    writer_id            BLOB NOT NULL,
    first_seq            INTEGER NOT NULL,
    last_seq             INTEGER NOT NULL,
    merkle_root          BLOB NOT NULL,
    previous_digest_hash BLOB NOT NULL,
    signature            BLOB NOT NULL,
    key_id               TEXT NOT NULL,
    created_at           INTEGER NOT NULL,
    PRIMARY KEY (writer_id, first_seq)
) STRICT;

-- The redacted input of each decision, for replay and explain; kept for a shorter time than the trail.
CREATE TABLE decision_inputs (
    decision_id     BLOB NOT NULL,
    "timestamp"     INTEGER NOT NULL,
    policy_revision TEXT,
    input           TEXT NOT NULL,
    PRIMARY KEY (decision_id, "timestamp")
) STRICT;

CREATE INDEX idx_decision_inputs_time ON decision_inputs ("timestamp" DESC);

-- +goose Down
DROP TABLE decision_inputs;
DROP TABLE audit_digests;
DROP TABLE audit_writer_offset;
DROP TABLE audit_events;
