-- +goose Up
-- Under row-level security, which `sark migrate` sets up with the database roles, a login moves the offsets of its own writers
-- only. A row without a login, from before or from the tables' owner, belongs to the first that moves it.
ALTER TABLE audit_writer_offset ADD COLUMN login name;
ALTER TABLE audit_writer_offset ALTER COLUMN login
    SET DEFAULT CASE WHEN row_security_active('audit_writer_offset') THEN current_user END;

-- What retention has removed: everything that was stored before the cutoff. Signed, so that a gap cannot be explained away.
CREATE TABLE audit_retention (
    cutoff     timestamptz NOT NULL PRIMARY KEY,
    rule       text NOT NULL,
    created_at timestamptz NOT NULL,
    key_id     text NOT NULL,
    signature  bytea NOT NULL
);

-- Counts by the hour, for dashboards. An empty text stands for NULL.
CREATE TABLE audit_rollups (
    hour        timestamptz NOT NULL,
    server_id   text NOT NULL,
    server_name text NOT NULL,
    tool_name   text NOT NULL,
    decision    text NOT NULL,
    outcome     text NOT NULL,
    events      bigint NOT NULL,
    duration_us bigint NOT NULL,
    upstream_us bigint NOT NULL,
    bytes_in    bigint NOT NULL,
    bytes_out   bigint NOT NULL,
    PRIMARY KEY (hour, server_id, server_name, tool_name, decision, outcome)
);

-- The hours whose events have changed since they were counted, written in the transaction that changes them.
CREATE TABLE audit_rollup_dirty (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour timestamptz NOT NULL
);

INSERT INTO audit_rollup_dirty (hour) SELECT DISTINCT date_trunc('hour', "timestamp", 'UTC') FROM audit_events;

-- The native partitions of the trail and their bounds: neither of the default one, no lower one of what was there before.
-- +goose StatementBegin
CREATE FUNCTION sark_audit_partitions(OUT name text, OUT lower timestamptz, OUT upper timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE AS $$
    SELECT c.relname::text, substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz,
        substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid, pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE inhparent = to_regclass('audit_events')
$$;
-- +goose StatementEnd

-- Makes the partition of a day and moves into it what the default one holds of that day; false when there is one already.
-- +goose StatementBegin
CREATE FUNCTION sark_audit_partition(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part text := 'audit_events_p' || to_char(day, 'YYYYMMDD');
    first timestamptz := day::timestamp AT TIME ZONE 'UTC';
    next timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    rest text; -- the default partition
    index record;
BEGIN
    IF EXISTS (SELECT FROM sark_audit_partitions() p WHERE p.upper > first AND (p.lower IS NULL OR p.lower < next)) THEN
        RETURN false;
    END IF;
    SELECT p.name INTO rest FROM sark_audit_partitions() p WHERE p.lower IS NULL AND p.upper IS NULL;
    EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    IF rest IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', rest);
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE "timestamp" >= %L AND "timestamp" < %L RETURNING *)
            INSERT INTO %I SELECT * FROM moved', rest, first, next, part);
    END IF;
    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, first, next);
    FOR index IN SELECT c.relname AS name, regexp_replace(o.relname, '^idx_audit_events_', '') AS title
        FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_inherits ON inhrelid = c.oid JOIN pg_class o ON o.oid = inhparent
        WHERE indrelid = to_regclass(quote_ident(part)) AND NOT indisprimary LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', index.name, left(part || '_' || index.title, 63));
    END LOOP;
    RETURN true;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION sark_audit_partition(date);
DROP FUNCTION sark_audit_partitions();
DROP TABLE audit_rollup_dirty;
DROP TABLE audit_rollups;
DROP TABLE audit_retention;
ALTER TABLE audit_writer_offset DROP COLUMN login;
