package api

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"sark/authz"
	"sark/internal/authn"
	"sark/internal/mcp"
	"sark/store"
)

// Describe tells policies what a call is about. Of a registered server these are its level, teams and owner as the registry
// has them now, and the higher one of its level and the level that a change asks for. Of a registration they are those that
// the new server would have. Of an unknown server there is nothing to tell but the id. An error is a *Problem: the registry
// cannot be asked, and without an answer nothing can be decided.
func (a *API) Describe(ctx context.Context, who *authn.Principal, call *mcp.Call) (authz.Resource, error) {
	resource := authz.Resource{Type: call.ResourceType, ID: call.Name}
	switch row := rowOf(call.Route); {
	case call.Route == RouteServersCreate:
		var body registration
		if decode(call.Arguments, &body) == nil {
			s := body.server(who)
			resource.SensitivityLevel, resource.Teams, resource.OwnerID = s.SensitivityLevel, s.Teams, s.OwnerID
		}
	case row != nil && row.resourceType == "server" && call.Name != "":
		return a.describeServer(ctx, call)
	}
	return resource, nil
}

func (a *API) describeServer(ctx context.Context, call *mcp.Call) (authz.Resource, error) {
	resource := authz.Resource{Type: call.ResourceType, ID: call.Name}
	id, ok := parseID(call.Name)
	if !ok {
		return resource, nil // the handler refuses it
	}
	s, err := a.o.Registry.BareServer(ctx, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return resource, nil
	}
	if err != nil {
		return resource, storeProblem(err, "registry")
	}
	resource = resourceOf(&s)
	if call.Route == RouteServersUpdate {
		var asked struct {
			SensitivityLevel string `json:"sensitivity_level"`
		}
		if decode(call.Arguments, &asked, json.RejectUnknownMembers(false)) == nil {
			resource.SensitivityLevel = higher(resource.SensitivityLevel, asked.SensitivityLevel)
		}
	}
	return resource, nil
}

// resourceOf describes a server as the object of a decision.
func resourceOf(s *store.Server) authz.Resource {
	return authz.Resource{
		Type: "server", ID: s.ID, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams, OwnerID: s.OwnerID,
	}
}

// higher returns the more sensitive of two levels; a word that is none counts for nothing.
func higher(a, b string) string {
	levels := store.Sensitivities()
	if slices.Index(levels, b) > slices.Index(levels, a) {
		return b
	}
	return a
}
