package api

import (
	"context"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
)

// evaluation is the body of POST /api/v1/policy/evaluate.
//
// UserID asks about another user than the caller. The gateway keeps no directory of users, so Roles, Teams and Scopes say
// what that user would hold; the caller's own cannot be replaced.
type evaluation struct {
	UserID     string         `json:"user_id"`
	Roles      []string       `json:"roles"`
	Teams      []string       `json:"teams"`
	Scopes     []string       `json:"scopes"`
	Action     *string        `json:"action"`
	Tool       string         `json:"tool"`
	ServerID   string         `json:"server_id"`
	Parameters jsontext.Value `json:"parameters"`
	Context    map[string]any `json:"context"`
}

// actionForm is the form of policy actions, for example "tool:invoke" or "mcp:tasks/get".
var actionForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[A-Za-z0-9_./-]+)+$`)

// evaluate answers POST /api/v1/policy/evaluate: what would the policy say? Nothing is called and nothing is granted.
func (a *API) evaluate(ctx context.Context, r *request) error {
	var body evaluation
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	if err := body.validate(r.caller.Principal); err != nil {
		return err
	}
	if body.asAnother(r.caller.Principal) {
		if err := a.mayActAs(ctx, r, body.UserID); err != nil {
			return err
		}
	}
	in, err := a.question(ctx, r, &body)
	if err != nil {
		return err
	}
	d := a.o.Decider.Decide(ctx, in)
	return writeJSON(r.out, fasthttp.StatusOK, verdictOf(&d, &body, r.caller.ExchangeID))
}

func (b *evaluation) validate(caller *authn.Principal) error {
	var m mistakes
	switch {
	case b.Action == nil:
		m.add("missing", "The field is required", "action")
	case !actionForm.MatchString(*b.Action):
		m.add("string_pattern_mismatch", "The action should look like tool:invoke", "action")
	}
	m.length(value(b.Action), maxWord, "action")
	m.line(b.UserID, maxName, "user_id")
	m.lines(b.Roles, maxTeams, maxName, "roles")
	m.lines(b.Teams, maxTeams, maxName, "teams")
	m.lines(b.Scopes, maxTeams, maxName, "scopes")
	m.line(b.Tool, maxName, "tool")
	m.line(b.ServerID, maxName, "server_id")
	m.object(b.Parameters, maxParameters, "parameters")
	if b.Tool == "" && value(b.Action) == mcp.ActionOf("tools/call") {
		m.add("missing", "The field is required when the action is "+*b.Action, "tool")
	}
	if !b.asAnother(caller) && (b.Roles != nil || b.Teams != nil || b.Scopes != nil) {
		m.add("value_error", "Roles, teams and scopes are only for another user", "user_id")
	}
	return m.problem()
}

// asAnother reports whether the question is about anyone but the caller.
func (b *evaluation) asAnother(caller *authn.Principal) bool {
	return b.UserID != "" && b.UserID != caller.ID
}

// mayActAs asks whether the caller may evaluate policies as the given user, and refuses with that decision when not. The
// call was decided under the user's name already (see Route); asking here keeps the handler safe whoever calls it.
func (a *API) mayActAs(ctx context.Context, r *request, user string) error {
	call := *r.call
	call.ResourceType, call.Name = resourceUser, user
	d := a.o.Decider.Decide(ctx, &authz.Input{
		Principal: r.caller.Principal,
		Call:      &call,
		Resource:  authz.Resource{Type: call.ResourceType, ID: call.Name},
		Request:   a.requestOf(r),
		Time:      a.o.Now(),
	})
	if d.Allow {
		return nil
	}
	return &Problem{
		Status: fasthttp.StatusForbidden, Code: "forbidden",
		Detail: or(d.Reason, "Evaluating as another user is not allowed"), DecisionID: d.ID,
	}
}

// question builds the input that a real request of this kind would build.
func (a *API) question(ctx context.Context, r *request, b *evaluation) (*authz.Input, error) {
	call, err := b.call()
	if err != nil {
		return nil, err
	}
	in := &authz.Input{
		Principal: b.principal(r.caller.Principal),
		Call:      call,
		Request:   a.requestOf(r),
		Time:      a.o.Now(),
		Context:   b.Context,
	}
	target, err := a.find(ctx, b.ServerID, b.Tool)
	if err != nil {
		return nil, err
	}
	in.Server, in.Tool = target.server, target.tool
	in.Resource = authz.Resource{Type: call.ResourceType, ID: or(call.URI, call.Name)}
	if call.ResourceType == "server" {
		in.Resource = target.resource()
	}
	return in, nil
}

// requestOf describes the HTTP side: the verb and the address are those of the question.
func (a *API) requestOf(r *request) authz.Request {
	return authz.Request{
		Method: string(r.in.Header.Method()), Path: string(r.in.URI().Path()), ClientIP: r.caller.ClientIP,
	}
}

// principal returns who the question is about. Another user is taken to have proved who it is in the caller's way.
func (b *evaluation) principal(caller *authn.Principal) *authn.Principal {
	if !b.asAnother(caller) {
		return caller
	}
	return &authn.Principal{
		ID: b.UserID, Type: authn.TypeUser, Method: caller.Method,
		Roles: list(b.Roles), Teams: list(b.Teams), Scopes: list(b.Scopes),
	}
}
