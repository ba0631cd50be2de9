package app

import (
	"context"
	"fmt"
	"os"

	"sark/cachemw"
	"sark/configs"
	"sark/internal/admin"
	"sark/internal/api"
	"sark/internal/audit"
	"sark/internal/authn"
	"sark/internal/discover"
)

func (g *gateway) openDataDir(context.Context) error {
	if err := os.MkdirAll(g.c.DataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w (choose another with --data-dir or data_dir)", err)
	}
	key, err := hashKey(g.c.Audit.HashKey, g.c.DataDir)
	if err != nil {
		return err
	}
	h := audit.NewArgumentHasher(key)
	g.hasher = func(arguments []byte) string { return string(h.Append(nil, arguments)) }
	return nil
}

func (g *gateway) openAuthn(context.Context) error {
	a, err := g.newAuthn(g.c)
	if err != nil {
		return err
	}
	g.authn.Store(a)
	g.life.onStop("authentication", func(context.Context) error { g.authn.Load().Close(); return nil })
	return nil
}

func (g *gateway) newAuthn(c *configs.Config) (*authn.Authenticator, error) {
	o, err := credentials(c, keyStore{g.db})
	if err != nil {
		return nil, err
	}
	return authn.New(o)
}

func (g *gateway) openCache(context.Context) (err error) {
	// It is there when it is switched off, too: a reload may switch it on.
	o := cachemw.Options{MaxBytes: int64(g.c.Cache.MaxBytes), Registerer: g.metrics}
	if g.c.Redis.URL != "" {
		client, err := g.client("redis.url", g.c.Redis.URL)
		if err != nil {
			return err
		}
		if o.Backend, err = g.sharedCache(client); err != nil {
			return err
		}
	}
	if g.cache, err = cachemw.New(o); err != nil {
		return err
	}
	g.life.onStop("cache", func(context.Context) error { return g.cache.Close() })
	return nil
}

func (g *gateway) openHealth(context.Context) (err error) {
	checks := []admin.Check{
		g.storeCheck(),
		{Name: "audit", Critical: true, Run: func(context.Context) error { return g.spool.Err() }},
		{Name: "policy", Critical: true, Run: func(context.Context) error { return g.engine.Ready() }},
		{Name: "authentication", Run: func(context.Context) error { return g.authn.Load().Ready() }},
	}
	checks = append(checks,
		admin.Check{Name: "certificates", Run: g.certificates.check}, // those read before are in force
		admin.Check{Name: "configuration", Run: g.table.check},
		admin.Check{Name: "servers", Run: g.table.serversCheck, Pool: g.table.connections},
	)
	checks = append(checks, g.redisChecks()...)
	checks = append(checks, g.siemChecks()...)
	g.health, err = admin.NewHealth(admin.HealthOptions{Log: g.log, Checks: checks})
	return err
}

func (g *gateway) openAPI(context.Context) error {
	discoverer, err := g.discoverer()
	if err != nil {
		return err
	}
	g.api, err = api.New(api.Options{
		Registry: g.db, Audit: g.db, Rollups: g.db, Integrity: g.integrity, Decider: g.decider, Policies: g.engine, Inputs: g.db, Health: g.health,
		Catalogue: &g.table, Discoverer: discoverer, Networks: g.table.allowed, Suggest: discover.Suggest, Lag: g.lag, Changed: g.changed, Cache: g.cacheForAPI(),
		Version: g.o.Version, Environment: g.c.Environment, MaxBodyBytes: int(g.c.Proxy.MaxBodyBytes), Log: g.log,
	})
	return err
}
