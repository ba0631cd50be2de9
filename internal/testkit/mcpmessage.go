package testkit

import (
	"encoding/json"
	"fmt"
)

// modernRevision is the first MCP revision without sessions. Revisions are
// dates and compare as strings.
const modernRevision = "2026-07-28"

// Keys under params._meta by which the modern era describes a request and its
// subscription (MCP 2026-07-28).
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaSubscription = "io.modelcontextprotocol/subscriptionId"
)

// Message is a JSON-RPC message from a client.
type Message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`

	// Name is params.name, params.uri or params.taskId, whichever is there.
	Name string `json:"-"`
	// Version is the protocol revision named in params._meta, or
	// params.protocolVersion of initialize; empty in other legacy requests.
	Version string `json:"-"`
	// Modern is true when params._meta names a revision without sessions.
	Modern bool `json:"-"`
}

// Request says whether the message wants an answer.
func (m Message) Request() bool { return m.ID != nil && m.Method != "" }

// Key is the method, and behind a space the name if there is one: the key of
// result tables and of [MCPUpstream.Calls]. It is "response" for a client's
// answer to a request of the server.
func (m Message) Key() string {
	switch {
	case m.Method == "":
		return "response"
	case m.Name == "":
		return m.Method
	default:
		return m.Method + " " + m.Name
	}
}

// Answer returns the response that carries the result, with the id exactly as
// the client wrote it.
func (m Message) Answer(result string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// Refuse returns the error response, with the id exactly as the client wrote
// it. data is JSON, or empty for none.
func (m Message) Refuse(code int, message, data string) string {
	if data != "" {
		data = `,"data":` + data
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s%s}}`, m.ID, code, quote(message), data)
}

// readMessages decodes a body that holds one message or a batch.
func readMessages(body []byte) (messages []Message, batch bool, err error) {
	if len(body) > 0 && body[0] == '[' {
		err = json.Unmarshal(body, &messages)
		batch = true
	} else {
		messages = make([]Message, 1)
		err = json.Unmarshal(body, &messages[0])
	}
	if err != nil {
		return nil, batch, fmt.Errorf("decode the message: %w", err)
	}
	for i := range messages {
		if err := messages[i].readParams(); err != nil {
			return nil, batch, err
		}
	}
	return messages, batch, nil
}

func (m *Message) readParams() error {
	if m.Params == nil {
		return nil
	}
	var p struct {
		Name            string         `json:"name"`
		URI             string         `json:"uri"`
		TaskID          string         `json:"taskId"`
		ProtocolVersion string         `json:"protocolVersion"`
		Meta            map[string]any `json:"_meta"`
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return fmt.Errorf("decode the params of %s: %w", m.Method, err)
	}
	m.Name = p.Name + p.URI + p.TaskID
	m.Version = p.ProtocolVersion
	if v, ok := p.Meta[metaVersion].(string); ok {
		m.Version, m.Modern = v, v >= modernRevision
	}
	return nil
}

// quote is s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("BUG: a string has no JSON form: " + err.Error())
	}
	return string(b)
}
