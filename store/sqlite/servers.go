package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// CreateServer adds a server and its tools to the registry, and the change to the outbox, in one transaction. It fills in
// what is empty of ids, status and sensitivity, and both times. It wraps store.ErrNameTaken.
func (d *DB) CreateServer(ctx context.Context, s *store.Server) error {
	defer d.timer.Observe("create_server", time.Now())
	if err := d.complete(s); err != nil {
		return fmt.Errorf("create server %q: %w", s.Name, err)
	}
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		if err := insertServer(ctx, tx, s); err != nil {
			return err
		}
		for i := range s.Tools {
			if err := insertTool(ctx, tx, s, i); err != nil {
				return err
			}
		}
		return insertChange(ctx, tx, store.Change{
			Subject: "server", SubjectID: s.ID, Operation: "create", CreatedAt: s.CreatedAt,
		})
	})
	if code(err) == codeUnique {
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
	s.ID = id.String() // in one spelling: the order of lists compares it
	s.Status = orElse(s.Status, "registered")
	s.SensitivityLevel = orElse(s.SensitivityLevel, "medium")
	for i := range s.Tools {
		s.Tools[i].ID = orElse(s.Tools[i].ID, uuid.NewString())
		s.Tools[i].SensitivityLevel = orElse(s.Tools[i].SensitivityLevel, "medium")
	}
	return nil
}

func insertServer(ctx context.Context, tx *sql.Tx, s *store.Server) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO mcp_servers (id, name, description, transport, endpoint, command, mcp_version,
		capabilities, sensitivity_level, signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature,
		s.Status, s.OwnerID, s.TeamID, lists[1], lists[2], document(s.Metadata), s.CreatedAt.UnixMicro(), s.UpdatedAt.UnixMicro())
	return err
}

func insertTool(ctx context.Context, tx *sql.Tx, s *store.Server, i int) error {
	t := &s.Tools[i]
	_, err := tx.ExecContext(ctx, `INSERT INTO mcp_tools (id, server_id, position, name, description, parameters,
		sensitivity_level, signature, requires_approval, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, s.ID, i, t.Name, t.Description, document(t.Parameters), t.SensitivityLevel, t.Signature, t.RequiresApproval,
		s.CreatedAt.UnixMicro(), s.UpdatedAt.UnixMicro())
	return err
}

// serverColumns are the columns that scanServer reads.
const serverColumns = `id, name, description, transport, endpoint, command, mcp_version, capabilities, sensitivity_level,
	signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at`

// Server returns a server with its tools. It wraps store.ErrNotFound.
func (d *DB) Server(ctx context.Context, id string) (store.Server, error) {
	defer d.timer.Observe("server", time.Now())
	s, err := scanServer(d.read.QueryRowContext(ctx, `SELECT `+serverColumns+` FROM mcp_servers WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err == nil {
		s.Tools, err = d.tools(ctx, id)
	}
	if err != nil {
		return store.Server{}, fmt.Errorf("read server %s: %w", id, err)
	}
	return s, nil
}

func scanServer(row interface{ Scan(...any) error }) (store.Server, error) {
	var s store.Server
	var capabilities, teams, tags, metadata string
	var created, updated int64
	err := row.Scan(&s.ID, &s.Name, &s.Description, &s.Transport, &s.Endpoint, &s.Command, &s.Version, &capabilities,
		&s.SensitivityLevel, &s.Signature, &s.Status, &s.OwnerID, &s.TeamID, &teams, &tags, &metadata, &created, &updated)
	if err != nil {
		return s, err
	}
	s.Metadata = json.RawMessage(metadata)
	s.CreatedAt, s.UpdatedAt = instant(&created), instant(&updated)
	for text, list := range map[*string]*[]string{&capabilities: &s.Capabilities, &teams: &s.Teams, &tags: &s.Tags} {
		if *list, err = parseTexts(*text); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (d *DB) tools(ctx context.Context, server string) ([]store.Tool, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT id, name, description, parameters, sensitivity_level, signature,
		requires_approval FROM mcp_tools WHERE server_id = ? ORDER BY position`, server)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var tools []store.Tool
	for rows.Next() {
		var t store.Tool
		var parameters string
		if err := rows.Scan(&t.ID, &t.Name, &t.Description, &parameters, &t.SensitivityLevel, &t.Signature,
			&t.RequiresApproval); err != nil {
			return nil, err
		}
		t.Parameters = json.RawMessage(parameters)
		tools = append(tools, t)
	}
	return tools, rows.Err()
}

func jsonTexts(lists ...[]string) ([]string, error) {
	out := make([]string, len(lists))
	for i, l := range lists {
		text, err := jsonText(l)
		if err != nil {
			return nil, err
		}
		out[i] = text
	}
	return out, nil
}

// document is how a JSON object that may be missing is kept.
func document(doc json.RawMessage) string { return orElse(string(doc), "{}") }

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
