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

// CreateServers adds servers and their tools to the registry, and a change for each to the outbox, all in one transaction. It
// fills in what is empty of ids, status and sensitivity, both times and the revision. A server that cannot be added is a
// store.ItemError, which wraps store.ErrNameTaken when its name is taken.
func (d *DB) CreateServers(ctx context.Context, servers ...*store.Server) error {
	defer d.timer.Observe("create_servers", time.Now())
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		for i, s := range servers {
			if err := d.createServer(ctx, tx, s); err != nil {
				return &store.ItemError{Index: i, Err: fmt.Errorf("server %q: %w", s.Name, err)}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("create servers: %w", err)
	}
	return nil
}

func (d *DB) createServer(ctx context.Context, tx *sql.Tx, s *store.Server) error {
	if err := d.complete(s); err != nil {
		return err
	}
	if err := named(insertServer(ctx, tx, s)); err != nil {
		return err
	}
	if err := insertTools(ctx, tx, s); err != nil {
		return err
	}
	return insertChange(ctx, tx, store.Change{Subject: "server", SubjectID: s.ID, Operation: "create", CreatedAt: s.CreatedAt})
}

// named tells a name that is taken from other failures.
func named(err error) error {
	if code(err) == codeUnique {
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
	s.ID = id.String() // in one spelling: the order of lists compares it
	s.Status = orElse(s.Status, "registered")
	s.SensitivityLevel = orElse(s.SensitivityLevel, "medium")
	return nil
}

func insertServer(ctx context.Context, tx *sql.Tx, s *store.Server) error {
	lists, err := jsonTexts(s.Capabilities, s.Teams, s.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO mcp_servers (`+serverColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Name, s.Description, s.Transport, s.Endpoint, s.Command, s.Version, lists[0], s.SensitivityLevel, s.Signature,
		s.Status, s.OwnerID, s.TeamID, lists[1], lists[2], document(s.Metadata), s.CreatedAt.UnixMicro(), s.UpdatedAt.UnixMicro(),
		s.Revision)
	return err
}

// serverColumns are the columns that scanServer reads.
const serverColumns = `id, name, description, transport, endpoint, command, mcp_version, capabilities, sensitivity_level,
	signature, status, owner_id, team_id, teams, tags, extra_metadata, created_at, updated_at, revision`

// Server returns a server with its tools. It wraps store.ErrNotFound.
func (d *DB) Server(ctx context.Context, id string) (store.Server, error) {
	defer d.timer.Observe("server", time.Now())
	s, err := d.server(ctx, id)
	if err == nil {
		s.Tools, err = d.tools(ctx, id)
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

func (d *DB) server(ctx context.Context, id string) (store.Server, error) {
	s, err := scanServer(d.read.QueryRowContext(ctx, `SELECT `+serverColumns+` FROM mcp_servers WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return s, err
}

func scanServer(row interface{ Scan(...any) error }) (store.Server, error) {
	var s store.Server
	var capabilities, teams, tags, metadata string
	var created, updated int64
	err := row.Scan(&s.ID, &s.Name, &s.Description, &s.Transport, &s.Endpoint, &s.Command, &s.Version, &capabilities,
		&s.SensitivityLevel, &s.Signature, &s.Status, &s.OwnerID, &s.TeamID, &teams, &tags, &metadata, &created, &updated, &s.Revision)
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
