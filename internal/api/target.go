package api

import (
	"context"
	"errors"

	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/store"
)

// target is the server and the tool that a question is about.
type target struct {
	server authz.Server
	tool   authz.Tool
}

// resource describes the server as the object of a question.
func (t *target) resource() authz.Resource {
	return authz.Resource{
		Type: "server", ID: t.server.ID, SensitivityLevel: t.server.SensitivityLevel,
		Teams: t.server.Teams, OwnerID: t.server.OwnerID,
	}
}

// find looks a server up by name in the configuration, then by id or name in the registry. Without a server, only the
// name of the tool is known.
func (a *API) find(ctx context.Context, server, tool string) (target, error) {
	if server == "" {
		return target{tool: authz.Tool{Name: tool}}, nil
	}
	if s, t, ok := a.describe(server, tool); ok {
		return target{s, t}, nil
	}
	found, err := a.lookup(ctx, server)
	if errors.Is(err, store.ErrNotFound) {
		return target{}, &Problem{
			Status: fasthttp.StatusNotFound, Code: "not_found", Detail: "server_id: no server has this id or name",
		}
	}
	if err != nil {
		return target{}, storeProblem(err, "registry")
	}
	return targetOf(&found, tool), nil
}

// describe asks the configuration.
func (a *API) describe(server, tool string) (authz.Server, authz.Tool, bool) {
	if a.o.Catalogue == nil {
		return authz.Server{}, authz.Tool{}, false
	}
	return a.o.Catalogue.Describe(server, tool)
}

// lookup asks the registry, by id when it can be one.
func (a *API) lookup(ctx context.Context, idOrName string) (store.Server, error) {
	if id, ok := parseID(idOrName); ok {
		return a.o.Registry.Server(ctx, id.String())
	}
	filter := store.ServerFilter{Search: idOrName, Limit: store.MaxLimit}
	for {
		page, err := a.o.Registry.Servers(ctx, filter)
		if err != nil {
			return store.Server{}, err
		}
		for i := range page.Items {
			if page.Items[i].Name == idOrName {
				return a.o.Registry.Server(ctx, page.Items[i].ID)
			}
		}
		if !page.HasMore {
			return store.Server{}, store.ErrNotFound
		}
		filter.Cursor = page.NextCursor
	}
}

// targetOf describes a registered server and one of its tools to policies, as the data path does.
func targetOf(s *store.Server, tool string) target {
	t := target{
		server: authz.Server{
			ID: s.ID, Name: s.Name, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams, OwnerID: s.OwnerID, Status: s.Status,
		},
		tool: authz.Tool{Name: tool, SensitivityLevel: s.SensitivityLevel},
	}
	for _, known := range s.Tools {
		if known.Name == tool {
			t.tool.Known, t.tool.SensitivityLevel = true, known.SensitivityLevel
		}
	}
	return t
}
