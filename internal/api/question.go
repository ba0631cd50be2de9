package api

import (
	"bytes"
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

// masked stands where a redacted value stood.
const masked = `"[redacted]"`

// mask returns parameters with every member masked whose key ends one of the paths, wherever it stands. That may be more
// than the paths name and is never less.
func mask(parameters jsontext.Value, paths []string) jsontext.Value {
	if len(paths) == 0 {
		return parameters
	}
	keys := make(map[string]bool, len(paths))
	for _, path := range paths {
		keys[path[strings.LastIndexAny(path, "./")+1:]] = true
	}
	var out bytes.Buffer
	if err := maskInto(jsontext.NewEncoder(&out), jsontext.NewDecoder(bytes.NewReader(parameters)), keys); err != nil {
		panic("BUG: parameters that were read strictly cannot be copied: " + err.Error())
	}
	return jsontext.Value(bytes.TrimSpace(out.Bytes()))
}

// maskInto copies one document token by token.
func maskInto(out *jsontext.Encoder, in *jsontext.Decoder, keys map[string]bool) error {
	for in.StackDepth() > 0 || in.InputOffset() == 0 {
		token, err := in.ReadToken()
		if err != nil {
			return err
		}
		kind, key := token.Kind(), ""
		if kind == '"' {
			key = token.String()
		}
		if err := out.WriteToken(token); err != nil {
			return err
		}
		if !keys[key] || !isName(in) {
			continue
		}
		if err := in.SkipValue(); err != nil {
			return err
		}
		if err := out.WriteValue(jsontext.Value(masked)); err != nil {
			return err
		}
	}
	return nil
}

// isName reports whether the last token was the name of a member: inside an object, an odd number of tokens was read.
func isName(in *jsontext.Decoder) bool {
	kind, n := in.StackIndex(in.StackDepth())
	return kind == '{' && n%2 == 1
}
