package app

import (
	"slices"

	"sark/authz"
	"sark/proxy"
)

// catalogue answers the API's questions about configured servers.
type catalogue map[string]proxy.ServerOptions

func newCatalogue(servers []proxy.ServerOptions) catalogue {
	c := make(catalogue, len(servers))
	for _, s := range servers {
		c[s.Name] = s
	}
	return c
}

// Tools implements api.Catalogue.
func (c catalogue) Tools(server string) ([]authz.Tool, bool) {
	s, ok := c[server]
	tools := slices.Clone(s.Tools)
	for i := range tools {
		_, tools[i], _ = c.Describe(server, tools[i].Name)
	}
	return tools, ok
}

// Describe implements api.Catalogue.
func (c catalogue) Describe(server, tool string) (authz.Server, authz.Tool, bool) {
	s, ok := c[server]
	if !ok {
		return authz.Server{}, authz.Tool{}, false
	}
	out := authz.Server{ID: s.Name, Name: s.Name, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams}
	for _, t := range s.Tools {
		if t.Name == tool {
			t.Known = true
			if t.SensitivityLevel == "" {
				t.SensitivityLevel = s.SensitivityLevel
			}
			return out, t, true
		}
	}
	return out, authz.Tool{Name: tool, SensitivityLevel: s.SensitivityLevel}, true
}
