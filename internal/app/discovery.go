package app

import (
	"context"

	"sark/internal/api"
	"sark/internal/discover"
	"sark/store"
)

// discovery lets the management API ask servers for their tools.
type discovery struct {
	client *discover.Client
}

// discoverer returns nil while discovery is off.
func (g *gateway) discoverer() (api.Discoverer, error) {
	if !g.c.API.Discover.Enabled {
		return nil, nil //nolint:nilnil // no discoverer is the answer
	}
	c, err := discover.New(discover.Options{Timeout: g.c.API.Discover.Timeout, Version: g.o.Version, Networks: g.table.allowed})
	if err != nil {
		return nil, err
	}
	return discovery{c}, nil
}

// Discover implements api.Discoverer.
func (d discovery) Discover(ctx context.Context, transport, endpoint string) ([]store.Tool, error) {
	found, err := d.client.Tools(ctx, transport, endpoint)
	if err != nil {
		return nil, &api.DiscoveryError{Code: discover.Reason(err), Err: err}
	}
	tools := make([]store.Tool, len(found))
	for i, t := range found {
		tools[i] = store.Tool{Name: t.Name, Description: t.Description, Parameters: t.Schema}
	}
	return tools, nil
}
