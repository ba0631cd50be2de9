package api

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"sark/internal/authn"
	"sark/store"
)

const (
	defaultLevel    = "medium"
	defaultRevision = "2025-06-18" // of MCP, for registrations that name none
	initialStatus   = "registered" // of a new server: not routed before an operator makes it active
)

// registration is the body of POST /api/v1/servers/. Pointers are fields that must be present.
type registration struct {
	Name             *string        `json:"name"`
	Description      string         `json:"description"`
	Transport        *string        `json:"transport"`
	Endpoint         string         `json:"endpoint"`
	Command          string         `json:"command"`
	Version          string         `json:"version"`
	Capabilities     []string       `json:"capabilities"`
	Tools            *[]toolBody    `json:"tools"`
	SensitivityLevel string         `json:"sensitivity_level"`
	Signature        string         `json:"signature"`
	TeamID           string         `json:"team_id"`
	Teams            []string       `json:"teams"`
	Tags             []string       `json:"tags"`
	Metadata         jsontext.Value `json:"metadata"`
	Discover         bool           `json:"discover"`
}

// toolBody is one tool of a registration.
type toolBody struct {
	Name             *string        `json:"name"`
	Description      string         `json:"description"`
	Parameters       jsontext.Value `json:"parameters"`
	SensitivityLevel string         `json:"sensitivity_level"`
	Signature        string         `json:"signature"`
	RequiresApproval bool           `json:"requires_approval"`
}

// registered is the reply to a registration. There is no Consul; the field is kept for clients that read it.
type registered struct {
	ServerID string  `json:"server_id"`
	Status   string  `json:"status"`
	ConsulID *string `json:"consul_id"`
	// Discovery is what came of asking the server for its tools, when that was asked for.
	Discovery *discovery `json:"discovery,omitempty"`
}

// createServer answers POST /api/v1/servers/.
func (a *API) createServer(ctx context.Context, r *request) error {
	var body registration
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	if err := body.validate(a.o.Discoverer != nil, a.o.Networks()); err != nil {
		return err
	}
	server := a.newServer(&body, r.caller.Principal)
	if err := a.vacant(server.Name); err != nil {
		return err
	}
	answer := registered{Status: server.Status}
	if body.Discover {
		answer.Discovery = a.discover(ctx, &server)
	}
	if err := a.o.Registry.CreateServers(ctx, &server); err != nil {
		return storeProblem(err, "registry")
	}
	a.changed(server.ID)
	r.call.Name, answer.ServerID = server.ID, server.ID
	r.details = told(created{Name: server.Name, Level: server.SensitivityLevel, Tools: len(server.Tools)})
	r.out.Header.Set("Location", "/api/v1/servers/"+server.ID)
	return writeJSON(r.out, fasthttp.StatusCreated, answer)
}

// created is what the audit event of a registration tells.
type created struct {
	Name  string `json:"name"`
	Level string `json:"sensitivity_level"`
	Tools int    `json:"tools"`
}

// vacant refuses the names of configured servers: they share one space of names with registered ones.
func (a *API) vacant(name string) error {
	if _, _, taken := a.describe(name, ""); taken {
		return storeProblem(store.ErrNameTaken, "registry")
	}
	return nil
}

// newServer returns the server that a registration asks for, with what the words of its tools suggest.
func (a *API) newServer(b *registration, caller *authn.Principal) store.Server {
	s := b.server(caller)
	s.Tools = a.tools(value(b.Tools))
	return s
}

// server returns what the registration asks for, with defaults in place of what it leaves out. The caller owns it, and
// the caller's teams may use it unless the registration names others.
func (b *registration) server(caller *authn.Principal) store.Server {
	s := store.Server{
		Name: value(b.Name), Description: b.Description, Transport: value(b.Transport), Endpoint: b.Endpoint,
		Command: b.Command, Version: or(b.Version, defaultRevision), Capabilities: list(b.Capabilities),
		SensitivityLevel: or(b.SensitivityLevel, defaultLevel), Signature: b.Signature,
		Status: initialStatus, OwnerID: caller.ID, TeamID: b.TeamID, Teams: b.Teams, Tags: list(b.Tags),
		Metadata: document(b.Metadata),
	}
	if s.Teams == nil {
		s.Teams = list(caller.Teams)
	}
	if s.TeamID == "" && len(s.Teams) > 0 {
		s.TeamID = s.Teams[0]
	}
	return s
}

// value returns what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// or returns s, or the default when s is empty.
func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// list returns s, never nil, so that it is encoded as [].
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// document returns a raw object, {} when there is none.
func document[T ~[]byte](raw T) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return json.RawMessage(raw)
}

// at is the path of a field of one tool.
func at(i int, field string) []any { return []any{"tools", i, field} }

// itoa shortens messages with limits.
func itoa(n int) string { return strconv.Itoa(n) }
