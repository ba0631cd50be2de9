package app

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"sark/authz"
	"sark/configs"
	"sark/internal/endpoint"
	"sark/proxy"
	"sark/store"
)

// registryTimeout bounds one look at the registry, and one change of a status.
const registryTimeout = 5 * time.Second

var (
	errNameTaken = errors.New("the configuration has a server of this name")
	errNoPath    = errors.New("its name cannot be a path")
)

// networks reads the networks of the configuration, which were validated.
func networks(texts []string) *endpoint.Networks {
	var list []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return endpoint.NewNetworks(list)
}

// routable maps the registered servers that can be served beside those of a version. The table is locked.
func (g *gateway) routable(v *version) []proxy.ServerOptions {
	if v.config.Proxy.Mode == configs.ModeRedirect {
		return nil // who registers a server must not choose whose connections it gets
	}
	var out []proxy.ServerOptions
	for _, s := range g.table.registered {
		o := registered(&s, v.config, g.table.networks)
		err := o.Validate()
		if _, taken := v.known[s.Name]; taken {
			err = errNameTaken
		}
		if !configs.IsServerName(s.Name) {
			err = errNoPath
		}
		if err != nil {
			g.log.Warn("a registered server is not served", zap.String("server_name", s.Name), zap.Error(err))
			continue
		}
		out = append(out, o)
	}
	return out
}

// registered maps a server of the registry. It never gets a caller's credential.
func registered(s *store.Server, c *configs.Config, n *endpoint.Networks) proxy.ServerOptions {
	o := proxy.ServerOptions{
		ID: s.ID, Name: s.Name, URL: s.Endpoint, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams, Registered: true,
		Upstream: connections(c, configs.Timeouts{}.Or(c.Proxy.Timeouts)),
	}
	o.Upstream.Networks = n
	switch {
	case s.Transport == "stdio":
		o.State, o.URL = proxy.ServerLocal, ""
	case s.Status == "unhealthy":
		o.State = proxy.ServerUnhealthy
	}
	for _, t := range s.Tools {
		o.Tools = append(o.Tools, authz.Tool{Name: t.Name, SensitivityLevel: t.SensitivityLevel})
	}
	return o
}

// watchRegistry serves what is registered and looks for changes until the stop, and probes the servers. Changes are found
// by reading the list of servers: a server that is new, gone, or whose revision differs. This holds for both
// databases and whatever the order is in which transactions become visible, which a number or a newest time would not.
func (g *gateway) watchRegistry(context.Context) error {
	g.life.background("probes", g.probe)
	if g.c.Proxy.Registry.Enabled {
		g.followRegistry()
		g.life.background("registry", g.poll)
	}
	return nil
}

// probe probes the servers of the proxy's listener, if there is one.
func (g *gateway) probe(ctx context.Context) {
	for _, f := range g.table.fronts { // complete: all listeners are open
		if f.key == "proxy.listen" {
			f.h.Probe(ctx)
		}
	}
}

func (g *gateway) poll(ctx context.Context) {
	tick := time.NewTicker(g.c.Proxy.Registry.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.followRegistry()
		}
	}
}

// followRegistry serves what is in the registry now. Trouble leaves the table as it is, and the next look tries again.
func (g *gateway) followRegistry() {
	if !g.c.Proxy.Registry.Enabled {
		return
	}
	guarded(g.log, "registry", g.readAndServe)
}

// readAndServe is one look at the registry.
func (g *gateway) readAndServe() {
	ctx, cancel := context.WithTimeout(context.Background(), registryTimeout)
	defer cancel()
	g.following.Lock()
	defer g.following.Unlock()
	t := &g.table
	t.mu.Lock()
	before := t.registered
	t.mu.Unlock() // the database may be slow
	servers, changed, err := g.readRegistry(ctx, before)
	if err != nil {
		if !g.astray {
			g.log.Warn("the registry cannot be read; servers stay as they are", zap.Error(err))
		}
		g.astray = true
		return
	}
	if g.astray {
		g.log.Info("the registry is read again")
	}
	g.astray = false
	if !changed {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.registered = servers
	next, err := g.newVersion(t.now.config, t.now.authn, t.now.opened)
	if err == nil {
		err = g.enforce(next)
	}
	if err != nil {
		t.registered = before
		g.log.Error("serve what is registered", zap.Error(err))
		return
	}
	g.log.Info("the servers of the registry have changed", zap.Int("servers", len(servers)))
}

// readRegistry returns the servers that are served, and whether they differ from those before.
func (g *gateway) readRegistry(ctx context.Context, before []store.Server) (servers []store.Server, changed bool, err error) {
	known := make(map[string]store.Server, len(before))
	for _, s := range before {
		known[s.ID] = s
	}
	filter := store.ServerFilter{Limit: store.MaxLimit, Ascending: true, Status: []string{"active", "unhealthy"}}
	for {
		page, err := g.db.Servers(ctx, filter)
		if err != nil {
			return nil, false, err
		}
		for _, s := range page.Items {
			old, found := known[s.ID]
			if !found || old.Revision != s.Revision {
				changed = true
				if old, err = g.db.Server(ctx, s.ID); err != nil {
					return nil, false, err
				}
			}
			servers = append(servers, old)
		}
		if filter.Cursor = page.NextCursor; !page.HasMore {
			return servers, changed || len(servers) != len(before), nil
		}
	}
}

// onHealth tells the registry what probes found out. A status that is neither active nor unhealthy is an operator's, and
// stays.
func (g *gateway) onHealth(h proxy.ServerHealth) {
	if !h.Registered {
		return
	}
	from, to := "active", "unhealthy"
	if h.Up {
		from, to = to, from
	}
	ctx, cancel := context.WithTimeout(context.Background(), registryTimeout)
	defer cancel()
	changed, err := g.changeStatus(ctx, h.ID, from, to)
	if err != nil {
		g.log.Warn("note the health of a server", zap.String("server_name", h.Name), zap.Error(err))
		return
	}
	if changed {
		g.changed(h.ID)
	}
}

// changeStatus changes the status of a server from one to another. A change of somebody else at the same time wins; the
// next probe sees what came of it.
func (g *gateway) changeStatus(ctx context.Context, id, from, to string) (changed bool, err error) {
	s, err := g.db.BareServer(ctx, id)
	if err != nil || s.Status != from {
		return false, err
	}
	s.Status = to
	err = g.db.UpdateServers(ctx, &s)
	return err == nil, err
}
