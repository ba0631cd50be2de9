package api

import (
	"context"

	"github.com/valyala/fasthttp"

	"sark/store"
)

// toolPage is the list of all tools of a server.
type toolPage struct {
	Items    []toolDetail `json:"items"`
	Revision int64        `json:"revision"`
}

// listTools answers GET /api/v1/servers/{id}/tools.
func (a *API) listTools(ctx context.Context, r *request) error {
	s, err := a.current(ctx, r)
	if err != nil {
		return err
	}
	return writeJSON(r.out, fasthttp.StatusOK, toolPage{Items: toolsOf(&s), Revision: s.Revision})
}

// setTools answers PUT /api/v1/servers/{id}/tools: the server has these tools and no others. A tool that keeps its name keeps
// its id.
func (a *API) setTools(ctx context.Context, r *request) error {
	var body struct {
		Tools *[]toolBody `json:"tools"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	var m mistakes
	checkTools(&m, body.Tools)
	if err := m.problem(); err != nil {
		return err
	}
	return a.changeTools(ctx, r, func(s *store.Server) error {
		known := s.Tools
		s.Tools = a.tools(value(body.Tools))
		for i := range s.Tools {
			if t := toolNamed(known, s.Tools[i].Name); t != nil {
				s.Tools[i].ID = t.ID
			}
		}
		return nil
	})
}

// rating is what PATCH /api/v1/servers/{id}/tools says of one tool; what is left out stays.
type rating struct {
	Name             *string `json:"name"`
	SensitivityLevel *string `json:"sensitivity_level"`
	RequiresApproval *bool   `json:"requires_approval"`
}

// rateTools answers PATCH /api/v1/servers/{id}/tools: the named tools get these levels, the others stay as they are.
func (a *API) rateTools(ctx context.Context, r *request) error {
	var body struct {
		Tools *[]rating `json:"tools"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	ratings := value(body.Tools)
	var m mistakes
	if body.Tools == nil {
		m.add("missing", "The field is required", "tools")
	}
	for i := range ratings {
		if ratings[i].Name == nil {
			m.add("missing", "The field is required", at(i, "name")...)
		}
		if level := ratings[i].SensitivityLevel; level != nil {
			m.oneOf(*level, store.Sensitivities(), at(i, "sensitivity_level")...)
		}
	}
	if err := m.problem(); err != nil {
		return err
	}
	return a.changeTools(ctx, r, func(s *store.Server) error { return rate(s, ratings) })
}

func rate(s *store.Server, ratings []rating) error {
	s.Tools = append([]store.Tool(nil), s.Tools...)
	var m mistakes
	for i := range ratings {
		t := toolNamed(s.Tools, *ratings[i].Name)
		if t == nil {
			m.add("unknown", "The server has no tool of this name", at(i, "name")...)
			continue
		}
		if level := ratings[i].SensitivityLevel; level != nil {
			t.SensitivityLevel = *level
		}
		if approval := ratings[i].RequiresApproval; approval != nil {
			t.RequiresApproval = *approval
		}
	}
	return m.problem()
}

func (a *API) changeTools(ctx context.Context, r *request, apply func(*store.Server) error) error {
	s, err := a.change(ctx, r, apply, a.o.Registry.SetTools)
	if err != nil {
		return err
	}
	return writeJSON(r.out, fasthttp.StatusOK, toolPage{Items: toolsOf(&s), Revision: s.Revision})
}

// tools returns the tools that a body describes, with what their words suggest beside the levels that it gives.
func (a *API) tools(bodies []toolBody) []store.Tool {
	tools := make([]store.Tool, 0, len(bodies))
	for _, t := range bodies {
		tools = append(tools, store.Tool{
			Name: value(t.Name), Description: t.Description, Parameters: document(t.Parameters),
			SensitivityLevel: or(t.SensitivityLevel, defaultLevel), Signature: t.Signature,
			RequiresApproval: t.RequiresApproval,
		})
		a.suggest(&tools[len(tools)-1])
	}
	return tools
}

// suggest notes what the words of a tool suggest. The level in force is for people to set.
func (a *API) suggest(t *store.Tool) {
	if a.o.Suggest != nil {
		t.SuggestedLevel, t.SuggestedBy = a.o.Suggest(t.Name, t.Description, t.Parameters)
	}
}

func toolNamed(tools []store.Tool, name string) *store.Tool {
	for i := range tools {
		if tools[i].Name == name {
			return &tools[i]
		}
	}
	return nil
}

// toolsOf renders the tools of a server.
func toolsOf(s *store.Server) []toolDetail {
	items := make([]toolDetail, len(s.Tools))
	for i, t := range s.Tools {
		items[i] = toolDetail{
			ID: t.ID, Name: t.Name, Description: optional(t.Description), Parameters: document(t.Parameters),
			SensitivityLevel: t.SensitivityLevel, RequiresApproval: t.RequiresApproval,
			SuggestedLevel: optional(t.SuggestedLevel), SuggestedBy: list(t.SuggestedBy),
		}
	}
	return items
}
