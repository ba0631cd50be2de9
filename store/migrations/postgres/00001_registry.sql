-- +goose Up
CREATE TABLE mcp_servers (
    id                uuid NOT NULL PRIMARY KEY,
    name              text NOT NULL,
    description       text NOT NULL DEFAULT '',
    transport         text NOT NULL CHECK (transport IN ('http', 'sse', 'stdio')),
    endpoint          text NOT NULL DEFAULT '',
    command           text NOT NULL DEFAULT '',
    mcp_version       text NOT NULL DEFAULT '',
    capabilities      jsonb NOT NULL DEFAULT '[]',
    sensitivity_level text NOT NULL DEFAULT 'medium' CHECK (sensitivity_level IN ('low', 'medium', 'high', 'critical')),
    signature         text NOT NULL DEFAULT '',
    status            text NOT NULL DEFAULT 'registered'
        CHECK (status IN ('registered', 'active', 'inactive', 'unhealthy', 'decommissioned')),
    owner_id          text NOT NULL DEFAULT '',
    team_id           text NOT NULL DEFAULT '',
    teams             jsonb NOT NULL DEFAULT '[]',
    tags              jsonb NOT NULL DEFAULT '[]',
    extra_metadata    jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);

-- A name may be used again once its server is decommissioned.
CREATE UNIQUE INDEX idx_mcp_servers_name ON mcp_servers (name) WHERE status <> 'decommissioned';
CREATE INDEX idx_mcp_servers_status ON mcp_servers (status);
CREATE INDEX idx_mcp_servers_sensitivity ON mcp_servers (sensitivity_level);
CREATE INDEX idx_mcp_servers_status_sensitivity ON mcp_servers (status, sensitivity_level);
CREATE INDEX idx_mcp_servers_created_at ON mcp_servers (created_at DESC);
CREATE INDEX idx_mcp_servers_status_created ON mcp_servers (status, created_at DESC);

-- Pages are read after a (created_at, id) key.
CREATE INDEX idx_mcp_servers_created_id ON mcp_servers (created_at DESC, id DESC);
CREATE INDEX idx_mcp_servers_owner ON mcp_servers (owner_id);
CREATE INDEX idx_mcp_servers_team ON mcp_servers (team_id);

CREATE TABLE mcp_tools (
    id                uuid NOT NULL PRIMARY KEY,
    server_id         uuid NOT NULL REFERENCES mcp_servers (id) ON DELETE CASCADE,
    position          integer NOT NULL,
    name              text NOT NULL,
    description       text NOT NULL DEFAULT '',
    parameters        jsonb NOT NULL DEFAULT '{}',
    sensitivity_level text NOT NULL DEFAULT 'medium' CHECK (sensitivity_level IN ('low', 'medium', 'high', 'critical')),
    signature         text NOT NULL DEFAULT '',
    requires_approval boolean NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    UNIQUE (server_id, name)
);

CREATE INDEX idx_mcp_tools_server ON mcp_tools (server_id);
CREATE INDEX idx_mcp_tools_sensitivity ON mcp_tools (sensitivity_level);

CREATE TABLE api_keys (
    id          text NOT NULL PRIMARY KEY,
    hash        bytea NOT NULL,
    subject     text NOT NULL,
    description text NOT NULL DEFAULT '',
    roles       jsonb NOT NULL DEFAULT '[]',
    teams       jsonb NOT NULL DEFAULT '[]',
    scopes      jsonb NOT NULL DEFAULT '[]',
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz
);

-- Writes to the registry that have not reached every cache yet.
CREATE TABLE registry_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    text NOT NULL,
    subject_id text NOT NULL,
    operation  text NOT NULL,
    created_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE registry_outbox;
DROP TABLE api_keys;
DROP TABLE mcp_tools;
DROP TABLE mcp_servers;
