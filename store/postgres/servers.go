package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

// CreateServer adds a server and its tools to the registry, and the change to the outbox, in one transaction and one round
// trip. It fills in what is empty of ids, status and sensitivity, and both times. It wraps store.ErrNameTaken.
func (d *DB) CreateServer(ctx context.Context, s *store.Server) error {
	defer d.timer.Observe("create_server", time.Now())
	err := d.complete(s)
	if err == nil {
		err = d.insertServer(ctx, s)
	}
	if nameTaken(err) {
		err = fmt.Errorf("%w: %w", store.ErrNameTaken, err)
	}
	if err != nil {
		return fmt.Errorf("create server %q: %w", s.Name, err)
	}
	return nil
}

func (d *DB) complete(s *store.Server) error {
	id, err := uuid.Parse(orElse(s.ID, uuid.NewString()))
	if err != nil {
		return fmt.Errorf("id %q: %w", s.ID, err)
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	s.CreatedAt, s.UpdatedAt = now, now
	s.ID = id.String()
	s.Status = orElse(s.Status, "registered")
	s.SensitivityLevel = orElse(s.SensitivityLevel, "medium")
	for i := range s.Tools {
		s.Tools[i].ID = orElse(s.Tools[i].ID, uuid.NewString())
		s.Tools[i].SensitivityLevel = orElse(s.Tools[i].SensitivityLevel, "medium")
	}
	return nil
}

// insertServer sends one batch, which PostgreSQL runs as one transaction.
func (d *DB) insertServer(ctx context.Context, s *store.Server) error {
	b := new(pgx.Batch)
	if err := queueServer(b, s); err != nil {
		return err
	}
	for i := range s.Tools {
		queueTool(b, s, i)
	}
	queueChange(b, store.Change{Subject: "server", SubjectID: s.ID, Operation: "create", CreatedAt: s.CreatedAt})
	c, err := d.api.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.SendBatch(ctx, b).Close()
}

func queueServer(b *pgx.Batch, s *store.Server) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	queue(b, `INSERT INTO mcp_servers (id, name, description, transport, endpoint, command, mcp_version,
		capabilities, sensitivity_level, signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		s.ID, s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature,
		s.Status, s.OwnerID, s.TeamID, lists[1], lists[2], jsonDocument(s.Metadata), s.CreatedAt, s.UpdatedAt)
	return nil
}

func queueTool(b *pgx.Batch, s *store.Server, i int) {
	t := &s.Tools[i]
	queue(b, `INSERT INTO mcp_tools (id, server_id, position, name, description, parameters,
		sensitivity_level, signature, requires_approval, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		t.ID, s.ID, i, t.Name, t.Description, jsonDocument(t.Parameters), t.SensitivityLevel, t.Signature, t.RequiresApproval,
		s.CreatedAt, s.UpdatedAt)
}

// serverColumns are the columns that scanServer reads.
const serverColumns = `id, name, description, transport, endpoint, command, mcp_version, capabilities, sensitivity_level,
	signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at`

// Server returns a server with its tools. It wraps store.ErrNotFound.
func (d *DB) Server(ctx context.Context, id string) (store.Server, error) {
	defer d.timer.Observe("server", time.Now())
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
	if err != nil {
		return store.Server{}, err
	}
	if len(found) == 0 {
		return store.Server{}, store.ErrNotFound
	}
	s := found[0]
	s.Tools, err = list(ctx, d.api, scanTool, `SELECT id, name, description, parameters, sensitivity_level, signature,
		requires_approval FROM mcp_tools WHERE server_id = $1 ORDER BY position`, id)
	return s, err
}

func scanServer(row pgx.CollectableRow) (s store.Server, err error) {
	err = row.Scan(&s.ID, &s.Name, &s.Description, &s.Transport, &s.Endpoint, &s.Command, &s.Version, (*texts)(&s.Capabilities),
		&s.SensitivityLevel, &s.Signature, &s.Status, &s.OwnerID, &s.TeamID, (*texts)(&s.Teams), (*texts)(&s.Tags),
		(*document)(&s.Metadata), &s.CreatedAt, &s.UpdatedAt)
	return s, err
}

func scanTool(row pgx.CollectableRow) (t store.Tool, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Description, (*document)(&t.Parameters), &t.SensitivityLevel, &t.Signature, &t.RequiresApproval)
	return t, err
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
