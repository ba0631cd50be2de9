package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sark/store"
)

// UpdateServers writes servers as they were changed since they were read, without their tools, and a change for each to the
// outbox, all in one transaction. It sets the time of the update and the new revision. A server that cannot be written is a
// store.ItemError; it wraps store.ErrConflict when the server is no longer at the revision that was read, or was
// decommissioned, and store.ErrNameTaken.
func (d *DB) UpdateServers(ctx context.Context, servers ...*store.Server) error {
	defer d.timer.Observe("update_servers", time.Now())
	return d.change(ctx, servers, func(*sql.Tx, *store.Server) error { return nil })
}

// SetTools replaces the tools of a server, and writes it as UpdateServers does. Tools keep the ids that they have.
func (d *DB) SetTools(ctx context.Context, s *store.Server) error {
	defer d.timer.Observe("set_tools", time.Now())
	return d.change(ctx, []*store.Server{s}, func(tx *sql.Tx, s *store.Server) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM mcp_tools WHERE server_id = ?`, s.ID); err != nil {
			return err
		}
		return insertTools(ctx, tx, s)
	})
}

// change writes servers, and then for each what else goes with it. The servers get their new revisions at the end.
func (d *DB) change(ctx context.Context, servers []*store.Server, further func(*sql.Tx, *store.Server) error) error {
	now := d.now().UTC().Truncate(time.Microsecond)
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		for i, s := range servers {
			err := updateServer(ctx, tx, s, now)
			if err == nil {
				err = further(tx, s)
			}
			if err != nil {
				return &store.ItemError{Index: i, Err: fmt.Errorf("server %q: %w", s.Name, err)}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("update servers: %w", err)
	}
	for _, s := range servers {
		s.UpdatedAt = now
		s.Revision++
	}
	return nil
}

func updateServer(ctx context.Context, tx *sql.Tx, s *store.Server, now time.Time) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `UPDATE mcp_servers SET name = ?, description = ?, transport = ?, endpoint = ?,
		command = ?, mcp_version = ?, capabilities = ?, sensitivity_level = ?, signature = ?, status = ?, owner_id = ?, team_id = ?,
		teams = ?, tags = ?, extra_metadata = ?, updated_at = ?, revision = revision + 1
		WHERE id = ? AND revision = ? AND status <> 'decommissioned'`,
		s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature, s.Status,
		s.OwnerID, s.TeamID, lists[1], lists[2], document(s.Metadata), now.UnixMicro(), s.ID, s.Revision)
	if err != nil {
		return named(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errorOr(err, store.ErrConflict)
	}
	return insertChange(ctx, tx, store.Change{Subject: "server", SubjectID: s.ID, Operation: s.Operation(), CreatedAt: now})
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
