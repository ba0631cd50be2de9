package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sark/internal/mcp"
)

// call returns the call that the question is about. An action of MCP goes through the parser that reads real messages, so
// that the policy sees what it would see of one; any other action is a plain call.
func (b *evaluation) call() (*mcp.Call, error) {
	method, ok := methodOf(*b.Action)
	if !ok {
		kind, _, _ := strings.Cut(*b.Action, ":")
		return &mcp.Call{
			Kind: mcp.Plain, Action: *b.Action, ResourceType: kind, Name: or(b.Tool, b.ServerID), Arguments: b.Parameters,
		}, nil
	}
	message, err := b.message(method)
	if err != nil {
		return nil, err
	}
	call := new(mcp.Call)
	if err := mcp.Parse(call, message, mcp.Header{}); err != nil {
		return nil, parameterProblem(err)
	}
	return call, nil
}

// methodOf returns the MCP method that is decided under an action, if there is one.
func methodOf(action string) (string, bool) {
	switch action {
	case "tool:invoke":
		return "tools/call", true
	case "tool:list":
		return "tools/list", true
	case "prompt:get":
		return "prompts/get", true
	case "resource:read":
		return "resources/read", true
	case "completion:get":
		return "completion/complete", true
	case mcp.ActionResponse, mcp.ActionStream, mcp.ActionEnd:
		return "", false
	}
	return strings.CutPrefix(action, "mcp:")
}

// message writes the JSON-RPC request. The parameters are the arguments of a tool; for every other method they are its
// params as MCP defines them ("name", "uri", "arguments"...).
func (b *evaluation) message(method string) ([]byte, error) {
	params := any(jsontext.Value(document(b.Parameters)))
	if method == "tools/call" {
		params = map[string]any{"name": b.Tool, "arguments": params}
	}
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, fmt.Errorf("write the message to evaluate: %w", err)
	}
	return message, nil
}

// parameterProblem says why parameters cannot be those of a real message.
func parameterProblem(err error) error {
	reason := "not the parameters of such a call"
	var refused *mcp.Error
	if errors.As(err, &refused) {
		reason = refused.Reason
	}
	return unprocessable(FieldError{Loc: []any{"body", "parameters"}, Msg: reason, Type: "value_error"})
}
