package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"sark/store"
)

// toolColumns are the columns that scanTool reads.
const toolColumns = `id, name, description, parameters, sensitivity_level, signature, requires_approval, suggested_level, suggested_by`

// insertTools adds the tools of a server and fills in what is empty of their ids and sensitivity.
func insertTools(ctx context.Context, tx *sql.Tx, s *store.Server) error {
	for i := range s.Tools {
		t := &s.Tools[i]
		t.ID = orElse(t.ID, uuid.NewString())
		t.SensitivityLevel = orElse(t.SensitivityLevel, "medium")
		words, err := jsonText(t.SuggestedBy)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO mcp_tools (`+toolColumns+`, server_id, position, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.Name, t.Description, document(t.Parameters), t.SensitivityLevel, t.Signature, t.RequiresApproval,
			t.SuggestedLevel, words, s.ID, i, s.UpdatedAt.UnixMicro(), s.UpdatedAt.UnixMicro())
		if err != nil {
			return fmt.Errorf("tool %q: %w", t.Name, err)
		}
	}
	return nil
}

func (d *DB) tools(ctx context.Context, server string) ([]store.Tool, error) {
	rows, err := d.read.QueryContext(ctx, `SELECT `+toolColumns+` FROM mcp_tools WHERE server_id = ? ORDER BY position`, server)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var tools []store.Tool
	for rows.Next() {
		var t store.Tool
		var parameters, words string
		if err := rows.Scan(&t.ID, &t.Name, &t.Description, &parameters, &t.SensitivityLevel, &t.Signature,
			&t.RequiresApproval, &t.SuggestedLevel, &words); err != nil {
			return nil, err
		}
		if t.SuggestedBy, err = parseTexts(words); err != nil {
			return nil, err
		}
		t.Parameters = json.RawMessage(parameters)
		tools = append(tools, t)
	}
	return tools, rows.Err()
}
