package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store"
)

// UpdateServers writes servers as they were changed since they were read, without their tools, and a change for each to the
// outbox, all in one transaction. It sets the time of the update and the new revision. A server that cannot be written is a
// store.ItemError; it wraps store.ErrConflict when the server is no longer at the revision that was read, or was
// decommissioned, and store.ErrNameTaken.
func (d *DB) UpdateServers(ctx context.Context, servers ...*store.Server) error {
	defer d.timer.Observe("update_servers", time.Now())
	return d.change(ctx, servers, func(*pgx.Batch, *store.Server) error { return nil })
}

// SetTools replaces the tools of a server, and writes it as UpdateServers does. Tools keep the ids that they have.
func (d *DB) SetTools(ctx context.Context, s *store.Server) error {
	defer d.timer.Observe("set_tools", time.Now())
	return d.change(ctx, []*store.Server{s}, func(b *pgx.Batch, s *store.Server) error {
		queue(b, `DELETE FROM mcp_tools WHERE server_id = $1`, s.ID)
		return queueTools(b, s)
	})
}

// change writes servers, and then for each what else goes with it. The servers get their new revisions at the end.
func (d *DB) change(ctx context.Context, servers []*store.Server, further func(*pgx.Batch, *store.Server) error) error {
	now := d.now().UTC().Truncate(time.Microsecond)
	w := new(writes)
	for _, s := range servers {
		err := w.add(s, func(b *pgx.Batch, s *store.Server) error {
			if err := queueUpdate(b, s, now); err != nil {
				return err
			}
			return further(b, s)
		})
		if err != nil {
			return fmt.Errorf("update servers: %w", err)
		}
	}
	c, err := d.api.acquire(ctx)
	if err != nil {
		return fmt.Errorf("update servers: %w", err)
	}
	defer c.Release()
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return w.read(tx.SendBatch(ctx, &w.batch)) })
	if err != nil {
		return fmt.Errorf("update servers: %w", err)
	}
	for _, s := range servers {
		s.UpdatedAt = now
		s.Revision++
	}
	return nil
}

// queueUpdate writes a server and its change in one statement, which touches no row when the server was changed since.
func queueUpdate(b *pgx.Batch, s *store.Server, now time.Time) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	queue(b, `WITH changed AS (
			UPDATE mcp_servers SET name = $1, description = $2, transport = $3, endpoint = $4, command = $5, mcp_version = $6,
				capabilities = $7, sensitivity_level = $8, signature = $9, status = $10, owner_id = $11, team_id = $12, teams = $13,
				tags = $14, extra_metadata = $15, updated_at = $16, revision = revision + 1
			WHERE id = $17 AND revision = $18 AND status <> 'decommissioned' RETURNING id)
		INSERT INTO registry_outbox (subject, subject_id, operation, created_at) SELECT 'server', id::text, $19, $16 FROM changed`,
		s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature, s.Status,
		s.OwnerID, s.TeamID, lists[1], lists[2], jsonDocument(s.Metadata), now, s.ID, s.Revision, s.Operation())
	return nil
}
