package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sark/authz"
	"sark/configs"
	"sark/internal/admin"
	"sark/internal/authn"
	"sark/internal/certs"
	"sark/internal/endpoint"
	"sark/proxy"
	"sark/store"
)

// front is one listener of the data plane.
type front struct {
	key      string
	h        *proxy.Handler
	s        *proxy.Server
	failures failures
}

// version is what a configuration and a state of the registry make, whole. It never changes.
type version struct {
	config  *configs.Config
	authn   *authn.Authenticator
	opened  map[certificateFiles]*certs.Store
	tls     *tls.Config // of the proxy listener; nil: plain
	rates   proxy.Rates
	servers []proxy.ServerOptions
	known   catalogue // of the configuration
}

// table is what the data plane serves now. Whoever changes it holds the lock, and so goes from one whole version to the
// next; requests never wait for it.
type table struct {
	mu         sync.Mutex // guards what follows, and Handler.Reload of all fronts
	now        *version
	fronts     []*front
	registered []store.Server
	networks   *endpoint.Networks
	failure    error // why the latest configuration is not in force
}

// version returns the version in force.
func (t *table) version() *version {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// join adds a listener.
func (t *table) join(f *front) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fronts = append(t.fronts, f)
}

// allowed returns where registered servers may be.
func (t *table) allowed() *endpoint.Networks {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.networks
}

// Describe implements api.Catalogue.
func (t *table) Describe(server, tool string) (authz.Server, authz.Tool, bool) {
	return t.version().known.Describe(server, tool)
}

// Tools implements api.Catalogue.
func (t *table) Tools(server string) ([]authz.Tool, bool) { return t.version().known.Tools(server) }

// check returns why the latest configuration is not in force.
func (t *table) check(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// health returns how the MCP servers are.
func (t *table) health() []proxy.ServerHealth {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.fronts {
		if f.key == "proxy.listen" {
			return f.h.Health()
		}
	}
	return nil
}

// serversCheck returns which MCP servers are down.
func (t *table) serversCheck(context.Context) error {
	var errs []error
	for _, s := range t.health() {
		if !s.Up {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, s.Err))
		}
	}
	return errors.Join(errs...)
}

// connections sums the connections to MCP servers.
func (t *table) connections() (sum admin.PoolStats) {
	for _, s := range t.health() {
		sum.Open += s.Open
		sum.InUse += s.Used
		sum.Max += s.Max
	}
	sum.Idle = max(sum.Open-sum.InUse, 0)
	return sum
}

// openServers makes the first version, with the servers of the configuration.
func (g *gateway) openServers(context.Context) error {
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	opened, err := g.certificates.open(g.c)
	if err != nil {
		return err
	}
	g.table.now, err = g.newVersion(g.c, g.authn.Load(), opened)
	return err
}

// newVersion makes a version. The table is locked.
func (g *gateway) newVersion(c *configs.Config, a *authn.Authenticator, opened map[certificateFiles]*certs.Store) (v *version, err error) {
	v = &version{config: c, authn: a, opened: opened, tls: listenerTLS(c, opened)}
	if old := g.table.now; old != nil && c.Proxy.TLS == old.config.Proxy.TLS {
		v.tls = old.tls
	}
	if old := g.table.now; old == nil || !reflect.DeepEqual(old.config.Proxy.Registry.AllowedNetworks, c.Proxy.Registry.AllowedNetworks) {
		g.table.networks = networks(c.Proxy.Registry.AllowedNetworks)
	}
	if v.rates, err = rates(c.Limits); err != nil {
		return nil, err
	}
	if v.servers, err = configured(c, opened); err != nil {
		return nil, err
	}
	v.known = newCatalogue(v.servers)
	v.servers = append(v.servers, g.routable(v)...)
	return v, nil
}

// enforce puts a version in force on every listener. The table is locked. The proxy's listener comes first: what can be
// wrong with a version is in its servers.
func (g *gateway) enforce(v *version) error {
	t := &g.table
	for _, first := range []bool{true, false} {
		for _, f := range t.fronts {
			if (f.key == "proxy.listen") != first {
				continue
			}
			o, err := g.optionsOf(f, v)
			if err == nil {
				err = f.h.Reload(o)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.key, err)
			}
			if first {
				f.s.SetTLS(v.tls)
			}
		}
	}
	t.now = v
	return nil
}

// replace puts another configuration in force, or changes nothing.
func (g *gateway) replace(c *configs.Config) error {
	t := &g.table
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now
	zone, err := time.LoadLocation(c.Authz.Timezone)
	if err != nil {
		return fmt.Errorf("authz.timezone: %w", err)
	}
	opened, err := g.certificates.open(c)
	if err != nil {
		return err
	}
	a := old.authn
	if !reflect.DeepEqual(c.Authn, old.config.Authn) {
		if a, err = g.newAuthn(c); err != nil {
			return fmt.Errorf("authn: %w", err)
		}
	}
	next, err := g.newVersion(c, a, opened)
	if err == nil {
		err = g.enforce(next)
	}
	if err == nil {
		err = g.applyPolicy(authz.Settings{Timeout: c.Authz.Timeout, Location: zone, PolicyConfig: c.Authz.PolicyConfig})
	}
	if err != nil {
		err = errors.Join(err, g.enforce(old))
		if a != old.authn {
			a.Close()
		}
		return err
	}
	g.settle(old, c, a, opened)
	return nil
}

// settle ends what the old version had for itself. Requests that are being authenticated by it go on.
func (g *gateway) settle(old *version, c *configs.Config, a *authn.Authenticator, opened map[certificateFiles]*certs.Store) {
	g.live.Store(c)
	g.certificates.keep(opened)
	if a != old.authn {
		g.authn.Store(a)
		old.authn.Close()
	}
	if c.Log.Level == old.config.Log.Level || g.o.Level == (zap.AtomicLevel{}) {
		return // a level that was set through the debug listener stays
	}
	if level, err := zapcore.ParseLevel(c.Log.Level); err == nil {
		g.o.Level.SetLevel(level)
	}
}
