package policytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// noon is when requests come that do not say when: a Monday.
var noon = time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC)

// question is the document that the policy sees of a case; item is a listed tool, or nil for the request itself.
func (c *Case) question(loc *time.Location, item *Tool) ([]byte, error) {
	call, err := c.call()
	if err != nil {
		return nil, err
	}
	in := &authz.Input{
		Principal: c.Principal.principal(),
		Call:      call,
		Server:    c.server(),
		Request:   authz.Request{Method: "POST", Path: "/mcp", ClientIP: c.ClientIP, Headers: c.Headers},
		Time:      c.Time,
		Context:   c.Context,
	}
	if in.Time.IsZero() {
		in.Time = noon
	}
	in.Resource = c.resource(call)
	if tool := c.Tool; tool != nil {
		in.Tool = tool.describe(&in.Server)
	}
	if item != nil {
		in.Tool, in.Resource = item.describe(&in.Server), authz.Resource{}
		in.Phase, in.Action = authz.PhaseList, mcp.ActionOf("tools/call")
	}
	return c.document(in, loc)
}

// document writes the input and replaces what the case wants to be different.
func (c *Case) document(in *authz.Input, loc *time.Location) ([]byte, error) {
	raw, err := authz.Document(in, loc)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := decodeNumbers(raw, &doc); err != nil {
		return nil, err
	}
	delete(doc, "policy_config") // whoever is asked has one
	if c.PolicyConfig != nil {
		doc["policy_config"] = c.PolicyConfig
	}
	if c.Input != nil {
		var patch map[string]any
		if err := decodeNumbers(c.Input, &patch); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
		merge(doc, patch)
	}
	return json.Marshal(doc)
}

// decodeNumbers decodes JSON and keeps numbers as they are written.
func decodeNumbers(raw []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	return d.Decode(v)
}

// merge applies a merge patch (RFC 7396).
func merge(doc, patch map[string]any) {
	for key, value := range patch {
		below, isObject := value.(map[string]any)
		switch existing, _ := doc[key].(map[string]any); {
		case value == nil:
			delete(doc, key)
		case isObject && existing != nil:
			merge(existing, below)
		default:
			doc[key] = value
		}
	}
}

// call is what the gateway would read of the message.
func (c *Case) call() (*mcp.Call, error) {
	if c.Action != "" {
		kind, _, _ := strings.Cut(c.Action, ":")
		call := &mcp.Call{Kind: mcp.Plain, Action: c.Action, ResourceType: kind, Arguments: c.Arguments}
		if c.Tool != nil {
			call.Name = c.Tool.Name
		}
		return call, nil
	}
	message, err := c.message()
	if err != nil {
		return nil, err
	}
	call := new(mcp.Call)
	if err := mcp.Parse(call, message, mcp.Header{}); err != nil {
		return nil, fmt.Errorf("no such message: %w", err)
	}
	return call, nil
}

// message is the JSON-RPC request of the case.
func (c *Case) message() ([]byte, error) {
	method := c.Method
	switch {
	case method == "" && c.Tool != nil:
		method = "tools/call"
	case method == "" && len(c.Tools) > 0:
		method = "tools/list"
	case method == "":
		return nil, fmt.Errorf("it names no tool, method or action")
	}
	params := map[string]any{}
	for key, value := range c.Params {
		params[key] = value
	}
	if c.Tool != nil {
		params["name"] = c.Tool.Name
	}
	if c.Arguments != nil {
		params["arguments"] = c.Arguments
	}
	return json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

func (c *Case) server() authz.Server {
	s := c.Server
	switch {
	case s == nil && c.Action != "" && c.Tool == nil:
		return authz.Server{}
	case s == nil:
		s = &Server{Name: "server"}
	}
	described := authz.Server{
		ID: s.ID, Name: s.Name, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams, OwnerID: s.OwnerID, Status: s.Status,
	}
	if described.ID == "" {
		described.ID = s.Name
	}
	if described.SensitivityLevel == "" {
		described.SensitivityLevel = "medium"
	}
	return described
}

func (t *Tool) describe(server *authz.Server) authz.Tool {
	described := authz.Tool{Name: t.Name, SensitivityLevel: t.SensitivityLevel, Known: t.Known, ReadOnly: t.ReadOnly}
	if described.SensitivityLevel == "" {
		described.SensitivityLevel = server.SensitivityLevel
	}
	return described
}

// resource is what the request is for: that of the case, else what the message names.
func (c *Case) resource(call *mcp.Call) authz.Resource {
	if r := c.Resource; r != nil {
		return authz.Resource{Type: r.Type, ID: r.ID, SensitivityLevel: r.SensitivityLevel, Teams: r.Teams, OwnerID: r.OwnerID}
	}
	if c.Tool != nil || (call.Name == "" && call.URI == "") {
		return authz.Resource{}
	}
	id := call.URI
	if id == "" {
		id = call.Name
	}
	return authz.Resource{Type: call.ResourceType, ID: id}
}

func (p *Principal) principal() *authn.Principal {
	if p == nil {
		return authn.Anonymous(nil)
	}
	if p.Method == string(authn.MethodAnonymous) {
		return authn.Anonymous(p.Roles)
	}
	who := &authn.Principal{
		ID: p.ID, Type: authn.Type(p.Type), Method: authn.Method(p.Method), Issuer: p.Issuer, ClientID: p.ClientID,
		KeyID: p.KeyID, Email: p.Email, Roles: present(p.Roles), Teams: present(p.Teams), Scopes: present(p.Scopes), Claims: p.Claims,
	}
	if who.Type == "" {
		who.Type = authn.TypeUser
	}
	if who.Method == "" {
		who.Method = authn.MethodJWT
	}
	return who
}

// present returns a list that is never nil.
func present(list []string) []string { return slices.Concat([]string{}, list) }
