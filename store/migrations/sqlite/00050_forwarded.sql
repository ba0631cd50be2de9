-- +goose Up
-- Up to which event of a writer each of its receivers outside (audit.siem) has what it is to have. The gateway tells it a
-- moment after the receiver; events themselves are never changed.
CREATE TABLE audit_forwarded (
    writer_id  BLOB NOT NULL,
    sink       TEXT NOT NULL,
    last_seq   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (writer_id, sink)
) STRICT, WITHOUT ROWID;

-- An event is siem_forwarded when every receiver of its writer has it, NULL when there are none.
CREATE VIEW audit_events_forwarded AS SELECT e.id, e."timestamp", e.writer_id, e.seq,
    (SELECT min(f.last_seq) >= e.seq FROM audit_forwarded f WHERE f.writer_id = e.writer_id) AS siem_forwarded FROM audit_events e;

-- +goose Down
DROP VIEW audit_events_forwarded;
DROP TABLE audit_forwarded;
