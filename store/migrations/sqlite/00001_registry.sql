-- +goose Up
CREATE TABLE mcp_servers (
    id                TEXT NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL DEFAULT '',
    transport         TEXT NOT NULL CHECK (transport IN ('http', 'sse', 'stdio')),
    endpoint          TEXT NOT NULL DEFAULT '',
    command           TEXT NOT NULL DEFAULT '',
    mcp_version       TEXT NOT NULL DEFAULT '',
    capabilities      TEXT NOT NULL DEFAULT '[]',
    sensitivity_level TEXT NOT NULL DEFAULT 'medium' CHECK (sensitivity_level IN ('low', 'medium', 'high', 'critical')),
    signature         TEXT NOT NULL DEFAULT '',
    status            TEXT NOT NULL DEFAULT 'registered'
        CHECK (status IN ('registered', 'active', 'inactive', 'unhealthy', 'decommissioned')),
    owner_id          TEXT NOT NULL DEFAULT '',
    team_id           TEXT NOT NULL DEFAULT '',
    teams             TEXT NOT NULL DEFAULT '[]',
    tags              TEXT NOT NULL DEFAULT '[]',
    extra_metadata    TEXT NOT NULL DEFAULT '{}',
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

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
    id                TEXT NOT NULL PRIMARY KEY,
    server_id         TEXT NOT NULL REFERENCES mcp_servers (id) ON DELETE CASCADE,
    position          INTEGER NOT NULL,
    name              TEXT NOT NULL,
    description       TEXT NOT NULL DEFAULT '',
    parameters        TEXT NOT NULL DEFAULT '{}',
    sensitivity_level TEXT NOT NULL DEFAULT 'medium' CHECK (sensitivity_level IN ('low', 'medium', 'high', 'critical')),
    signature         TEXT NOT NULL DEFAULT '',
    requires_approval INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (server_id, name)
) STRICT;

CREATE INDEX idx_mcp_tools_server ON mcp_tools (server_id);
CREATE INDEX idx_mcp_tools_sensitivity ON mcp_tools (sensitivity_level);

CREATE TABLE api_keys (
    id          TEXT NOT NULL PRIMARY KEY,
    hash        BLOB NOT NULL,
    subject     TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    roles       TEXT NOT NULL DEFAULT '[]',
    teams       TEXT NOT NULL DEFAULT '[]',
    scopes      TEXT NOT NULL DEFAULT '[]',
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

-- Writes to the registry that have not reached every cache yet.
CREATE TABLE registry_outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    operation  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE registry_outbox;
DROP TABLE api_keys;
DROP TABLE mcp_tools;
DROP TABLE mcp_servers;
