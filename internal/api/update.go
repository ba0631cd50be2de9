package api

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"sark/internal/endpoint"
	"sark/store"
)

// changeable are the members of a patch. Whoever may change a server may change all of them; tools, teams and the owner,
// which say who may do what, have routes of their own.
func changeable() []string {
	return []string{
		"name", "description", "transport", "endpoint", "command", "version", "capabilities", "sensitivity_level", "tags",
		"metadata", "status",
	}
}

// updateServer answers PATCH /api/v1/servers/{id}: a JSON merge patch (RFC 7396) of the server's document. What results has
// to be a server that could be registered so.
func (a *API) updateServer(ctx context.Context, r *request) error {
	var patch map[string]jsontext.Value
	if err := a.readBody(r, &patch); err != nil {
		return err
	}
	if err := checkPatch(patch); err != nil {
		return err
	}
	s, err := a.change(ctx, r, func(s *store.Server) error { return a.patch(s, patch) }, a.writeServer)
	if err != nil {
		return err
	}
	return r.reply(&s)
}

func checkPatch(patch map[string]jsontext.Value) error {
	var m mistakes
	for name := range patch {
		switch {
		case slices.Contains(changeable(), name):
		case slices.Contains([]string{"tools", "teams", "team_id", "owner_id"}, name):
			m.add("extra_forbidden", "The field has a route of its own: PUT .../tools, .../teams or .../owner", name)
		default:
			m.add("extra_forbidden", "The field cannot be changed", name)
		}
	}
	slices.SortFunc(m, func(a, b FieldError) int { return strings.Compare(a.Loc[1].(string), b.Loc[1].(string)) })
	return m.problem()
}

// patch changes a server as a patch says.
func (a *API) patch(s *store.Server, patch map[string]jsontext.Value) error {
	status, b, err := merged(s, patch, a.o.Networks())
	if err != nil {
		return err
	}
	if b.Name != nil && *b.Name != s.Name {
		if err := a.vacant(*b.Name); err != nil {
			return err
		}
	}
	s.Name, s.Description, s.Transport, s.Endpoint, s.Command = value(b.Name), b.Description, value(b.Transport), b.Endpoint, b.Command
	s.Version, s.Capabilities, s.Tags = or(b.Version, defaultRevision), b.Capabilities, b.Tags
	s.SensitivityLevel, s.Metadata, s.Status = or(b.SensitivityLevel, defaultLevel), document(b.Metadata), status
	return nil
}

// merged returns the status and the registration that a server would have after a patch, when they are valid. An endpoint
// that stays is not held against the networks again: what was taken away from a server may still be said of it.
func merged(s *store.Server, patch map[string]jsontext.Value, networks *endpoint.Networks) (status string, b registration, err error) {
	members := map[string]jsontext.Value{}
	for name, v := range map[string]any{
		"name": s.Name, "description": s.Description, "transport": s.Transport, "endpoint": s.Endpoint, "command": s.Command,
		"version": s.Version, "capabilities": list(s.Capabilities), "sensitivity_level": s.SensitivityLevel, "tags": list(s.Tags),
		"metadata": jsontext.Value(document(s.Metadata)), "status": s.Status,
	} {
		members[name] = encoded(v)
	}
	for name, v := range patch {
		if v.Kind() == 'n' {
			delete(members, name)
			continue
		}
		members[name] = mergePatch(members[name], v)
	}
	var m mistakes
	status = statusOf(&m, members["status"])
	delete(members, "status")
	members["tools"] = jsontext.Value("[]")
	if wrong := decode(encoded(members), &b); wrong != nil {
		return "", b, unprocessable(append(m, *wrong)...)
	}
	if b.Endpoint == s.Endpoint {
		networks = nil
	}
	b.check(&m, networks)
	return status, b, m.problem()
}

// statusOf reads the status that a change asks for. There is no default: a removed one is a mistake.
func statusOf(m *mistakes, raw jsontext.Value) (status string) {
	if json.Unmarshal(raw, &status) != nil {
		m.add("string_type", "The value should be a string", "status")
		return ""
	}
	checkStatus(m, status, "status")
	return status
}

// checkStatus refuses statuses that a change cannot ask for: to decommission is another action than to change.
func checkStatus(m *mistakes, status string, loc ...any) {
	if status == store.Decommissioned {
		m.add("enum", "A server is decommissioned with DELETE", loc...)
		return
	}
	m.oneOf(status, slices.DeleteFunc(store.Statuses(), func(s string) bool { return s == store.Decommissioned }), loc...)
}

// mergePatch applies a JSON merge patch to a document, as RFC 7396 section 2 says: members that are null are removed, objects
// are merged, and anything else replaces what was there. target may be nil.
func mergePatch(target, patch jsontext.Value) jsontext.Value {
	var changes map[string]jsontext.Value
	if !isObject(patch) || json.Unmarshal(patch, &changes) != nil {
		return patch
	}
	members := map[string]jsontext.Value{}
	if isObject(target) && json.Unmarshal(target, &members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return patch
	}
	for name, v := range changes {
		if v.Kind() == 'n' {
			delete(members, name)
			continue
		}
		members[name] = mergePatch(members[name], v)
	}
	return encoded(members)
}

// deleteServer answers DELETE /api/v1/servers/{id}: the server gets its last status and keeps its row. A second time changes
// nothing and answers the same.
func (a *API) deleteServer(ctx context.Context, r *request) error {
	s, err := a.current(ctx, r)
	if err != nil {
		return err
	}
	if s.Status != store.Decommissioned {
		s, err = a.change(ctx, r, func(s *store.Server) error { s.Status = store.Decommissioned; return nil }, a.writeServer)
	}
	if err != nil {
		return err
	}
	return writeJSON(r.out, fasthttp.StatusOK, registered{ServerID: s.ID, Status: s.Status})
}
