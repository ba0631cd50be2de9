package app

import (
	"fmt"
	"time"

	"sark/authz"
	"sark/cachemw"
	"sark/configs"
	"sark/internal/authn"
	"sark/internal/certs"
	"sark/internal/limit"
	"sark/proxy"
	"sark/store/spool"
)

// never stands for "switched off" where a part knows no off.
const never = 100 * 365 * 24 * time.Hour

// configured maps the configured MCP servers to what the data plane knows of them.
func configured(c *configs.Config, opened map[certificateFiles]*certs.Store) ([]proxy.ServerOptions, error) {
	out := make([]proxy.ServerOptions, 0, len(c.Proxy.Servers))
	for i, s := range c.Proxy.Servers {
		o := proxy.ServerOptions{
			Name: s.Name, URL: s.URL, Resource: s.Resource, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams,
			ForwardAuthorization: s.Authorization == "forward", CacheScope: s.CacheScope, CacheTTL: s.CacheTTL, Passthrough: s.Passthrough,
			Upstream: connections(c, s.Timeouts.Or(c.Proxy.Timeouts)),
		}
		if s.Health.Probe != "" {
			o.Upstream.Health.Probe = s.Health.Probe
		}
		o.Upstream.Health.Path = s.Health.Path
		o.Upstream.Token = s.Token // empty unless authorization is static
		if s.Authorization == "exchange" {
			e := s.Exchange
			o.Upstream.Exchange = proxy.ExchangeOptions{
				TokenURL: e.TokenURL, ClientID: e.ClientID, ClientSecret: e.ClientSecret, Resource: s.Resource, Audience: e.Audience, Scope: e.Scope,
			}
		}
		secure(&o.Upstream, i, s.TLS, opened)
		var err error
		if c.Proxy.Mode == configs.ModeRedirect {
			if o.Destinations, err = s.Dialled(); err != nil {
				return nil, fmt.Errorf("proxy.servers[%d].destinations: %w", i, err)
			}
		}
		if o.Rate, err = rateOf(s.Limit, c.Limits); err != nil {
			return nil, fmt.Errorf("proxy.servers[%d].limit: %w", i, err)
		}
		for _, tool := range s.Tools {
			o.Tools = append(o.Tools, authz.Tool{Name: tool.Name, SensitivityLevel: tool.SensitivityLevel, ReadOnly: tool.ReadOnly})
		}
		out = append(out, o)
	}
	return out, nil
}

// connections maps the limits of the connections to a server.
func connections(c *configs.Config, t configs.Timeouts) proxy.UpstreamOptions {
	b, h := c.Proxy.Breaker, c.Proxy.Health
	o := proxy.UpstreamOptions{
		MaxConns: c.HTTPPool.Connections, MaxIdle: c.HTTPPool.Keepalive, ConnWait: c.HTTPPool.Wait, IdleTimeout: c.HTTPPool.KeepaliveExpiry,
		ConnectTimeout: t.Connect, FirstByteTimeout: t.FirstByte, StreamIdleTimeout: t.IdleStream, TotalTimeout: t.Total,
		Breaker: proxy.BreakerOptions{
			Off: !b.Enabled, Failures: b.Failures, Ratio: b.Ratio, MinCalls: b.MinCalls, Window: b.Window, OpenFor: b.OpenFor, Probes: b.Probes,
		},
		Health: proxy.HealthOptions{Interval: h.Interval, Timeout: h.Timeout, Probe: h.Probe, Failures: h.Failures, Successes: h.Successes},
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = -1 // none: zero would be the default
	}
	if o.ConnWait == 0 {
		o.ConnWait = -1
	}
	return o
}

// keyGrace is how long a key that the store has confirmed keeps working while the store cannot be asked: an outage of the
// database must not lock everybody out at once. Revocations wait as long.
const keyGrace = 5 * time.Minute

// credentials maps the configuration to which credentials are accepted.
func credentials(c *configs.Config, keys authn.KeyFinder) (authn.Options, error) {
	o := authn.Options{KeyStore: keys, KeyGrace: keyGrace}
	for i, k := range c.Authn.APIKeys {
		hash, err := authn.ParseHash(k.Hash)
		if err != nil {
			return o, fmt.Errorf("authn.api_keys[%d].hash: %w", i, err)
		}
		o.APIKeys = append(o.APIKeys, authn.APIKey{ID: k.ID, Hash: hash, Subject: k.Subject, Roles: k.Roles, Teams: k.Teams, Scopes: k.Scopes})
	}
	if j := c.Authn.JWT; j.Issuer != "" {
		leeway := j.Leeway
		if leeway == 0 {
			leeway = -1 // none: zero would be the default
		}
		o.JWT = &authn.JWTOptions{
			Issuer: j.Issuer, Audience: j.Audience, Key: []byte(j.Key), JWKSURL: j.JWKSURL, Leeway: leeway, Algorithms: j.Algorithms,
			KeysLife: j.KeysLife, Control: issuerControl(j),
			Claims: authn.ClaimNames{Roles: j.Claims.Roles, Teams: j.Claims.Teams, Scopes: j.Claims.Scopes},
		}
	}
	if m := c.Authn.MTLS; len(m.TrustDomains) > 0 || len(m.Names) > 0 {
		o.MTLS = &authn.MTLSOptions{TrustDomains: m.TrustDomains, Names: m.Names, Roles: m.Roles}
	}
	if c.Authn.Anonymous.Allow {
		o.Anonymous = &authn.AnonymousOptions{Roles: c.Authn.Anonymous.Roles}
	}
	return o, nil
}

// cacheRules maps the configured lifetimes of the management API's routes.
func cacheRules(c *configs.Config) cachemw.Rules {
	return cachemw.Rules{
		ServerList: c.Cache.ServerListTTL, ServerDetail: c.Cache.ServerDetailTTL, Health: c.Cache.TTL, Readiness: c.Cache.CacheReadiness,
	}
}

// failures counts refused credentials at one listener. It goes on counting while its rate stays.
type failures struct {
	rate    int
	limiter proxy.FailureLimiter
}

// limit returns the limiter of n refused credentials a minute, nil when n is 0.
func (f *failures) limit(n int) (proxy.FailureLimiter, error) {
	if n == f.rate {
		return f.limiter, nil
	}
	if n == 0 {
		f.rate, f.limiter = 0, nil
		return nil, nil //nolint:nilnil // no limiter is the answer
	}
	made, err := limit.New(limit.Options{Rate: n, Per: time.Minute, Burst: n})
	if err != nil {
		return nil, fmt.Errorf("limits.auth_failures_per_minute: %w", err)
	}
	f.rate, f.limiter = n, made
	return made, nil
}

func durability(word string) spool.Mode {
	switch word {
	case "written":
		return spool.Written
	case "durable":
		return spool.Durable
	}
	return spool.Auto
}

// bounded maps the off of a bound, 0, to that of a part whose 0 is its default.
func bounded(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func onFull(word string) spool.OnFull {
	if word == "shed-low" {
		return spool.ShedLow
	}
	return spool.Deny
}
