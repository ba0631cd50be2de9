package mcp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// view is what a message asks for in the eyes of one reader.
type view struct {
	Method, Name, URI, Version string
	ID                         any
}

// params are the members that name the object of a method, for a reader that ignores case.
type params struct {
	Name, URI, TaskID any
	Ref               struct{ Type, Name, URI any }
	Meta              struct {
		Version string `json:"io.modelcontextprotocol/protocolVersion"`
	} `json:"_meta"`
}

// loose reads a message as most Go servers do: keys in any case, the last one wins.
func loose(body []byte) (view, bool) {
	var m struct {
		Method string
		ID     any
		Params json.RawMessage
	}
	var p params
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return view{}, false
	}
	if m.Params != nil && json.Unmarshal(m.Params, &p) != nil {
		return view{}, false
	}
	return object(view{Method: m.Method, ID: m.ID, Version: p.Meta.Version}, p.Name, p.URI, p.TaskID, p.Ref.Type, p.Ref.Name, p.Ref.URI), true
}

// exact reads a message as most other servers do: keys as they are, the last one wins.
func exact(body []byte) view {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return view{}
	}
	p, _ := m["params"].(map[string]any)
	ref, _ := p["ref"].(map[string]any)
	meta, _ := p["_meta"].(map[string]any)
	method, _ := m["method"].(string)
	version, _ := meta["io.modelcontextprotocol/protocolVersion"].(string)
	return object(view{Method: method, ID: m["id"], Version: version}, p["name"], p["uri"], p["taskId"], ref["type"], ref["name"], ref["uri"])
}

// object fills name and uri as the methods of MCP define them.
func object(v view, name, uri, task, refType, refName, refURI any) view {
	switch v.Method {
	case "tools/call", "prompts/get":
		uri = nil
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		name = nil
	case "tasks/get", "tasks/update", "tasks/cancel", "tasks/result":
		name, uri = task, nil
	case "completion/complete":
		name, uri = refName, refURI
		switch refType {
		case "ref/prompt":
			uri = nil
		case "ref/resource":
			name = nil
		}
	default:
		if !strings.HasPrefix(mcp.ActionOf(v.Method), "mcp:") || known[v.Method] || v.Method == "" {
			name, uri = nil, nil
		}
	}
	v.Name, _ = name.(string)
	v.URI, _ = uri.(string)
	return v
}

// known holds the methods of the protocol.
var known = func() map[string]bool {
	m := map[string]bool{}
	for _, row := range methodRows {
		m[row.method] = true
	}
	return m
}()

// checkParse holds Parse against encoding/json: nothing is accepted that it refuses, and what is accepted reads the same
// for readers that are strict and loose about case. Refusals must be fit for a reply.
func checkParse(t *testing.T, body []byte, h mcp.Header) {
	t.Helper()
	var c mcp.Call
	err := mcp.Parse(&c, body, h)
	if err != nil {
		checkRefusal(t, body, err)
		return
	}
	if !json.Valid(body) || !utf8.Valid(body) {
		t.Errorf("accepted what is no JSON: %q", body)
	}
	if key, twice := duplicateKey(body); twice {
		t.Errorf("accepted key %q twice: %q", key, body)
	}
	var id any
	if c.ID != nil {
		d := json.NewDecoder(bytes.NewReader(c.ID))
		d.UseNumber()
		if err := d.Decode(&id); err != nil {
			t.Errorf("id %q: %v", c.ID, err)
		}
	}
	got := view{Method: c.Method, Name: c.Name, URI: c.URI, ID: id}
	if c.Meta != nil {
		got.Version = c.ProtocolVersion
	}
	want := exact(body)
	if want.Version == "" {
		got.Version = "" // it came from the header
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q for a reader that minds case (-want +got):\n%s", body, diff)
	}
	if want, ok := loose(body); ok {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q for a reader that ignores case (-want +got):\n%s", body, diff)
		}
	}
}

func checkRefusal(t *testing.T, body []byte, err error) {
	t.Helper()
	var bad *mcp.Error
	if !errors.As(err, &bad) {
		t.Errorf("%q: %v is no *Error", body, err)
		return
	}
	if reply := mcp.AppendError(nil, bad.ID, bad.Code, bad.Reason, nil); !json.Valid(reply) {
		t.Errorf("%q: reply %q is no JSON", body, reply)
	}
	if bad.ID != nil && bad.ID[0] != '"' {
		if strings.Trim(string(bad.ID), "-0123456789") != "" {
			t.Errorf("%q: id %q is neither string nor integer", body, bad.ID)
		}
	}
}

// duplicateKey looks for a key that stands twice in one object.
func duplicateKey(body []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	var open []map[string]bool // nil for an array
	key := false               // the next string is a key
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		if text, ok := token.(string); ok && key {
			if open[len(open)-1][text] {
				return text, true
			}
			open[len(open)-1][text] = true
			key = false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

func keyNumber(i int) string { return "key" + strconv.Itoa(i) }

// manyKeys returns an object of n keys without its closing brace.
func manyKeys(n int) string {
	b := strings.Builder{}
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":%d`, keyNumber(i), i)
	}
	return b.String()
}
