-- +goose Up
-- Up to which event of a writer each of its receivers outside (audit.siem) has what it is to have. The gateway tells it a
-- moment after the receiver; events themselves are never changed.
CREATE TABLE audit_forwarded (
    writer_id  uuid NOT NULL,
    sink       text NOT NULL,
    last_seq   bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (writer_id, sink)
);

-- Makes the view in which an event is siem_forwarded when every receiver of its writer has it, NULL when there are none. It has
-- no other columns than these, since a column that a view has cannot be given another type. It is a function because whoever
-- makes another table of the trail has to drop the view before, and make it again.
-- +goose StatementBegin
CREATE FUNCTION sark_forwarded_view() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    role name;
BEGIN
    CREATE VIEW audit_events_forwarded AS SELECT e.id, e."timestamp", e.writer_id, e.seq,
        (SELECT min(f.last_seq) >= e.seq FROM audit_forwarded f WHERE f.writer_id = e.writer_id) AS siem_forwarded FROM audit_events e;
    FOR role IN SELECT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'audit_events'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner LOOP
        EXECUTE format('GRANT SELECT ON audit_events_forwarded TO %I', role);
    END LOOP;
END
$$;
-- +goose StatementEnd

SELECT sark_forwarded_view();

-- +goose Down
DROP VIEW audit_events_forwarded;
DROP FUNCTION sark_forwarded_view();
DROP TABLE audit_forwarded;
