package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/store"
)

// toolColumns are the columns that scanTool reads.
const toolColumns = `id, name, description, parameters, sensitivity_level, signature, requires_approval, suggested_level, suggested_by`

// queueTools adds the tools of a server and fills in what is empty of their ids and sensitivity.
func queueTools(b *pgx.Batch, s *store.Server) error {
	for i := range s.Tools {
		t := &s.Tools[i]
		t.ID = orElse(t.ID, uuid.NewString())
		t.SensitivityLevel = orElse(t.SensitivityLevel, "medium")
		words, err := jsonTexts(t.SuggestedBy)
		if err != nil {
			return fmt.Errorf("tool %q: %w", t.Name, err)
		}
		queue(b, `INSERT INTO mcp_tools (`+toolColumns+`, server_id, position, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			t.ID, t.Name, t.Description, jsonDocument(t.Parameters), t.SensitivityLevel, t.Signature, t.RequiresApproval,
			t.SuggestedLevel, words[0], s.ID, i, s.UpdatedAt, s.UpdatedAt)
	}
	return nil
}

func (d *DB) tools(ctx context.Context, server string) ([]store.Tool, error) {
	return list(ctx, d.api, scanTool, `SELECT `+toolColumns+` FROM mcp_tools WHERE server_id = $1 ORDER BY position`, server)
}

func scanTool(row pgx.CollectableRow) (t store.Tool, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Description, (*document)(&t.Parameters), &t.SensitivityLevel, &t.Signature,
		&t.RequiresApproval, &t.SuggestedLevel, (*texts)(&t.SuggestedBy))
	return t, err
}
