package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

// CreateServers adds servers and their tools to the registry, and a change for each to the outbox, all in one transaction and
// one round trip. It fills in what is empty of ids, status and sensitivity, both times and the revision. A server that cannot
// be added is a store.ItemError, which wraps store.ErrNameTaken when its name is taken.
func (d *DB) CreateServers(ctx context.Context, servers ...*store.Server) error {
	defer d.timer.Observe("create_servers", time.Now())
	if err := d.createServers(ctx, servers); err != nil {
		return fmt.Errorf("create servers: %w", err)
	}
	return nil
}

// createServers sends one batch, which PostgreSQL runs as one transaction.
func (d *DB) createServers(ctx context.Context, servers []*store.Server) error {
	w := new(writes)
	for _, s := range servers {
		if err := w.add(s, d.queueNew); err != nil {
			return err
		}
	}
	c, err := d.api.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return w.read(c.SendBatch(ctx, &w.batch))
}

// named tells a name that is taken from other failures.
func named(err error) error {
	if nameTaken(err) {
		return fmt.Errorf("%w: %w", store.ErrNameTaken, err)
	}
	return err
}

func (d *DB) complete(s *store.Server) error {
	id, err := uuid.Parse(orElse(s.ID, uuid.NewString()))
	if err != nil {
		return fmt.Errorf("id %q: %w", s.ID, err)
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	s.CreatedAt, s.UpdatedAt, s.Revision = now, now, 1
	s.ID = id.String()
	s.Status = orElse(s.Status, "registered")
	s.SensitivityLevel = orElse(s.SensitivityLevel, "medium")
	return nil
}

// queueNew queues everything that makes a server.
func (d *DB) queueNew(b *pgx.Batch, s *store.Server) error {
	if err := d.complete(s); err != nil {
		return err
	}
	if err := queueServer(b, s); err != nil {
		return err
	}
	if err := queueTools(b, s); err != nil {
		return err
	}
	queueChange(b, store.Change{Subject: "server", SubjectID: s.ID, Operation: "create", CreatedAt: s.CreatedAt})
	return nil
}

func queueServer(b *pgx.Batch, s *store.Server) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	queue(b, `INSERT INTO mcp_servers (`+serverColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		s.ID, s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature,
		s.Status, s.OwnerID, s.TeamID, lists[1], lists[2], jsonDocument(s.Metadata), s.CreatedAt, s.UpdatedAt, s.Revision)
	return nil
}

// serverColumns are the columns that scanServer reads.
const serverColumns = `id, name, description, transport, endpoint, command, mcp_version, capabilities, sensitivity_level,
	signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at, revision`

// Server returns a server with its tools. It wraps store.ErrNotFound.
func (d *DB) Server(ctx context.Context, id string) (store.Server, error) {
	defer d.timer.Observe("server", time.Now())
	s, err := d.server(ctx, id)
	if err == nil {
		s.Tools, err = d.tools(ctx, s.ID)
	}
	if err != nil {
		return store.Server{}, fmt.Errorf("read server %s: %w", id, err)
	}
	return s, nil
}

// BareServer returns a server without its tools, which is what decisions about it need. It wraps store.ErrNotFound.
func (d *DB) BareServer(ctx context.Context, id string) (store.Server, error) {
	defer d.timer.Observe("bare_server", time.Now())
	s, err := d.server(ctx, id)
	if err != nil {
		return store.Server{}, fmt.Errorf("read server %s: %w", id, err)
	}
	return s, nil
}

func (d *DB) server(ctx context.Context, text string) (store.Server, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return store.Server{}, store.ErrNotFound
	}
	found, err := list(ctx, d.api, scanServer, `SELECT `+serverColumns+` FROM mcp_servers WHERE id = $1`, id)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Server{}, err
	}
	return found[0], nil
}

func scanServer(row pgx.CollectableRow) (s store.Server, err error) {
	err = row.Scan(&s.ID, &s.Name, &s.Description, &s.Transport, &s.Endpoint, &s.Command, &s.Version, (*texts)(&s.Capabilities),
		&s.SensitivityLevel, &s.Signature, &s.Status, &s.OwnerID, &s.TeamID, (*texts)(&s.Teams), (*texts)(&s.Tags),
		(*document)(&s.Metadata), &s.CreatedAt, &s.UpdatedAt, &s.Revision)
	return s, err
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
