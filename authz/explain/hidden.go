package explain

import (
	"context"
	"encoding/json"
	"fmt"

	"sark/authz"
	"sark/internal/mcp"
)

// HiddenTool is a tool that a list does not show to the caller.
type HiddenTool struct {
	Name   string `json:"name"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// Hidden asks about each tool as the gateway does when it filters the list that the document is about, and returns those that
// the caller does not see.
func Hidden(ctx context.Context, t *authz.Trial, document []byte, tools []Tool) ([]HiddenTool, error) {
	hidden := []HiddenTool{}
	for _, tool := range tools {
		question, err := listed(document, &tool)
		if err != nil {
			return nil, err
		}
		d, err := t.Decide(ctx, question)
		if err != nil {
			return nil, err
		}
		if !d.Allow {
			hidden = append(hidden, HiddenTool{Name: tool.Name, Rule: d.Rule, Reason: d.Reason})
		}
	}
	return hidden, nil
}

// listed turns the question for a list into the one for an item of it.
func listed(document []byte, tool *Tool) ([]byte, error) {
	var question map[string]json.RawMessage
	if err := json.Unmarshal(document, &question); err != nil {
		return nil, fmt.Errorf("read input document: %w", err)
	}
	message := map[string]json.RawMessage{}
	if raw := question["mcp"]; raw != nil {
		if err := json.Unmarshal(raw, &message); err != nil {
			return nil, fmt.Errorf("read input.mcp: %w", err)
		}
	}
	described := map[string]any{
		"name": tool.Name, "sensitivity_level": tool.SensitivityLevel, "known": true, "read_only": tool.ReadOnly,
	}
	message["phase"] = quoted(authz.PhaseList)
	for key, value := range map[string]any{"action": mcp.ActionOf("tools/call"), "mcp": message, "tool": described} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		question[key] = raw
	}
	delete(question, "resource")
	return json.Marshal(question)
}

func quoted(s string) json.RawMessage { return json.RawMessage(`"` + s + `"`) }
