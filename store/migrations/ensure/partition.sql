-- native partitions of a day for audit_events; what it holds becomes the first one as it is, after a look at every row
DO $$
DECLARE
    newest timestamptz;
    first date := (now() AT TIME ZONE 'UTC')::date;
    names text[];
    definitions text[];
    privilege record;
BEGIN
    LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE;
    SELECT max("timestamp") INTO newest FROM audit_events;
    SELECT array_agg(c.relname), array_agg(CASE WHEN NOT indisprimary THEN pg_get_indexdef(c.oid) END) INTO names, definitions
        FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'audit_events'::regclass;
    FOR i IN 1 .. cardinality(names) LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', names[i], left(names[i], 56) || '_before');
    END LOOP;
    DROP VIEW IF EXISTS audit_events_forwarded;
    ALTER TABLE audit_events RENAME TO audit_events_before;
    CREATE TABLE audit_events (LIKE audit_events_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE ("timestamp");
    ALTER TABLE audit_events ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id, "timestamp");
    FOR i IN 1 .. cardinality(names) LOOP
        IF definitions[i] IS NOT NULL THEN
            EXECUTE definitions[i];
        END IF;
    END LOOP;
    FOR privilege IN SELECT a.privilege_type, a.grantee FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = 'audit_events_before'::regclass AND a.grantee <> c.relowner LOOP
        EXECUTE format('GRANT %s ON audit_events TO %s', privilege.privilege_type,
            CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE privilege.grantee::regrole::text END);
    END LOOP;
    EXECUTE format('ALTER TABLE audit_events OWNER TO %s',
        (SELECT relowner::regrole FROM pg_class WHERE oid = 'audit_events_before'::regclass));
    CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
    IF newest IS NULL THEN
        DROP TABLE audit_events_before;
    ELSE
        first := greatest(first, (newest AT TIME ZONE 'UTC')::date) + 1;
        EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION audit_events_before FOR VALUES FROM (MINVALUE) TO (%L)',
            first::timestamp AT TIME ZONE 'UTC');
    END IF;
    FOR ahead IN 0 .. 7 LOOP
        PERFORM sark_audit_partition(first + ahead);
    END LOOP;
    PERFORM sark_forwarded_view();
END
$$;
