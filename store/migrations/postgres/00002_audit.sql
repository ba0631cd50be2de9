-- +goose Up
-- The columns and their order are those of package audit. The time is part of the key because partitioned tables need it there.
CREATE TABLE audit_events (
    id                    uuid NOT NULL,
    "timestamp"           timestamptz NOT NULL,
    class_uid             integer NOT NULL,
    event_type            text NOT NULL,
    severity              text NOT NULL,
    phase                 text NOT NULL,
    outcome               text,
    decision              text,
    rule                  text,
    reason                text,
    exchange_id           uuid,
    decision_id           uuid,
    policy_id             text,
    policy_revision       text,
    tier                  text,
    shadow                text,
    user_id               text,
    user_email            text,
    principal_type        text,
    user_roles            text[],
    auth_method           text,
    principal_attributes  jsonb,
    client_id             text,
    session_id            text,
    action_operation      text,
    resource_type         text,
    method                text,
    server_id             text,
    server_name           text,
    tool_name             text,
    resource              text,
    sensitivity           text,
    arguments_hash        text,
    action_parameters     jsonb,
    request_id            text,
    trace_id              text,
    span_id               text,
    ip_address            inet,
    user_agent            text,
    http_method           text,
    path                  text,
    protocol_version      text,
    era                   text,
    status_code           integer NOT NULL,
    rpc_code              integer NOT NULL,
    success               boolean NOT NULL,
    error_message         text,
    cache_status          text,
    duration_us           bigint NOT NULL,
    upstream_us           bigint NOT NULL,
    bytes_in              bigint NOT NULL,
    bytes_out             bigint NOT NULL,
    environment           text,
    cost                  double precision NOT NULL,
    retention_until       timestamptz,
    details               jsonb,
    writer_id             uuid NOT NULL,
    seq                   bigint NOT NULL,
    hash                  bytea NOT NULL,
    PRIMARY KEY (id, "timestamp")
);

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
    writer_id  uuid NOT NULL PRIMARY KEY,
    last_seq   bigint NOT NULL,
    updated_at timestamptz NOT NULL
);

-- One signed digest per batch of a writer's chain.
CREATE TABLE audit_digests (
    writer_id            uuid NOT NULL,
    first_seq            bigint NOT NULL,
    last_seq             bigint NOT NULL,
    merkle_root          bytea NOT NULL,
    previous_digest_hash bytea NOT NULL,
    signature            bytea NOT NULL,
    key_id               text NOT NULL,
    created_at           timestamptz NOT NULL,
    PRIMARY KEY (writer_id, first_seq)
);

-- The redacted input of each decision, for replay and explain; kept for a shorter time than the trail.
CREATE TABLE decision_inputs (
    decision_id     uuid NOT NULL,
    "timestamp"     timestamptz NOT NULL,
    policy_revision text,
    input           jsonb NOT NULL,
    PRIMARY KEY (decision_id, "timestamp")
);

CREATE INDEX idx_decision_inputs_time ON decision_inputs ("timestamp" DESC);

-- +goose Down
DROP TABLE decision_inputs;
DROP TABLE audit_digests;
DROP TABLE audit_writer_offset;
DROP TABLE audit_events;
