package policytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"gopkg.in/yaml.v3"
)

// File is what a file of cases holds.
type File struct {
	// Defaults are the fields of every case that does not set them itself; name and expect have none.
	Defaults Case `json:"defaults"`
	// Cases are asked one after another.
	Cases []Case `json:"cases"`
}

// Case is a question to the policy and the expected answer. Everything but Name and Expect may be missing.
type Case struct {
	// Name says what the case shows.
	Name string `json:"name"`
	// Principal is who asks; missing, it is anonymous.
	Principal *Principal `json:"principal"`
	// Method is the JSON-RPC method; tools/call when Tool is there and Action is not.
	Method string `json:"method"`
	// Action is the policy action of a request that is no message of MCP, such as server:register.
	Action string `json:"action"`
	// Tool is the tool that is called.
	Tool *Tool `json:"tool"`
	// Tools are the tools that the server lists in answer to tools/list.
	Tools []Tool `json:"tools"`
	// Server is the MCP server; missing, it is one of medium sensitivity for tools and messages, and none for an action.
	Server *Server `json:"server"`
	// Arguments are those of the tool or prompt.
	Arguments json.RawMessage `json:"arguments"`
	// Params are further members of the message's params, such as uri.
	Params map[string]any `json:"params"`
	// Resource is what an action is about.
	Resource *Resource `json:"resource"`
	// ClientIP is the address of the caller.
	ClientIP netip.Addr `json:"client_ip"`
	// Headers are those that policies may see.
	Headers map[string]string `json:"headers"`
	// Time is when the request came; missing, it is a Monday at noon.
	Time time.Time `json:"time"`
	// PolicyConfig replaces authz.policy_config.
	PolicyConfig json.RawMessage `json:"policy_config"`
	// Context is that of a policy evaluation.
	Context map[string]any `json:"context"`
	// Input is merged into the document that the policy sees (RFC 7396): null removes a member.
	Input json.RawMessage `json:"input"`
	// Expect is the answer.
	Expect *Expect `json:"expect"`
}

// Principal is who asks. It has authenticated unless Method is anonymous.
type Principal struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"`   // user when missing
	Method   string         `json:"method"` // jwt when missing
	Issuer   string         `json:"issuer"`
	ClientID string         `json:"client_id"`
	KeyID    string         `json:"key_id"`
	Email    string         `json:"email"`
	Roles    []string       `json:"roles"`
	Teams    []string       `json:"teams"`
	Scopes   []string       `json:"scopes"`
	Claims   map[string]any `json:"claims"`
}

// Tool describes a tool as the configuration does. A text stands for a tool with that name, of which nothing else is known.
type Tool struct {
	Name             string `json:"name"`
	SensitivityLevel string `json:"sensitivity_level"` // the server's when missing
	ReadOnly         bool   `json:"read_only"`
	Known            bool   `json:"known"` // true for a description, false for a text
}

// Server describes an MCP server as the configuration does. A text stands for a server with that name.
type Server struct {
	ID               string   `json:"id"` // the name when missing
	Name             string   `json:"name"`
	SensitivityLevel string   `json:"sensitivity_level"` // medium when missing
	Teams            []string `json:"teams"`
	OwnerID          string   `json:"owner_id"`
	Status           string   `json:"status"`
}

// Resource is what an action is about.
type Resource struct {
	Type             string   `json:"type"`
	ID               string   `json:"id"`
	SensitivityLevel string   `json:"sensitivity_level"`
	Teams            []string `json:"teams"`
	OwnerID          string   `json:"owner_id"`
}

// Expect is the expected answer. What is missing is not compared; one of Allow and Shows has to be there.
type Expect struct {
	// Allow is the decision.
	Allow *bool `json:"allow"`
	// Rule and Reason are those of the decision.
	Rule   *string `json:"rule"`
	Reason *string `json:"reason"`
	// Obligations are all that the decision demands, in the form in which policies write them.
	Obligations json.RawMessage `json:"obligations"`
	// Shows are the names of the case's tools that the caller sees in the list, in order.
	Shows *[]string `json:"shows"`
}

// UnmarshalJSON reads a tool, or the name of one.
func (t *Tool) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &t.Name)
	}
	type plain Tool
	described := plain{Known: true}
	err := strict(b, &described)
	*t = Tool(described)
	return err
}

// UnmarshalJSON reads a server, or the name of one.
func (s *Server) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &s.Name)
	}
	type plain Server
	return strict(b, (*plain)(s))
}

// strict decodes JSON and refuses fields that are not known.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// ParseCases reads cases in YAML, or JSON, which is YAML too. The error says which case is wrong.
func ParseCases(text []byte) ([]Case, error) {
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("a key is no text: %w", err)
	}
	var f File
	if err := strict(raw, &f); err != nil {
		return nil, err
	}
	if len(f.Cases) == 0 {
		return nil, errors.New("it holds no cases")
	}
	for i := range f.Cases {
		c := &f.Cases[i]
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("case %d (%s): %w", i+1, c.Name, err)
		}
		c.inherit(&f.Defaults)
	}
	return f.Cases, nil
}

// check tells whether a case can be asked and can fail.
func (c *Case) check() error {
	switch e := c.Expect; {
	case c.Name == "":
		return errors.New("it has no name")
	case e == nil || (e.Allow == nil && e.Shows == nil):
		return errors.New("expect says neither allow nor shows")
	case (e.Shows != nil) != (len(c.Tools) > 0):
		return errors.New("tools and expect.shows belong together")
	case c.Method != "" && c.Action != "":
		return errors.New("method and action exclude each other")
	}
	return nil
}

// inherit takes the fields that the case leaves out from the defaults.
func (c *Case) inherit(d *Case) {
	if c.Principal == nil {
		c.Principal = d.Principal
	}
	if c.Server == nil {
		c.Server = d.Server
	}
	if c.Tool == nil && c.Method == "" && c.Action == "" {
		c.Tool, c.Method, c.Action = d.Tool, d.Method, d.Action
	}
	if !c.ClientIP.IsValid() {
		c.ClientIP = d.ClientIP
	}
	if c.Headers == nil {
		c.Headers = d.Headers
	}
	if c.Time.IsZero() {
		c.Time = d.Time
	}
	if c.PolicyConfig == nil {
		c.PolicyConfig = d.PolicyConfig
	}
	if c.Context == nil {
		c.Context = d.Context
	}
	if c.Input == nil {
		c.Input = d.Input
	}
}
