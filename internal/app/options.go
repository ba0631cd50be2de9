package app

import (
	"fmt"
	"time"

	"sark/authz"
	"sark/cachemw"
	"sark/configs"
	"sark/internal/authn"
	"sark/internal/limit"
	"sark/proxy"
	"sark/store/spool"
)

// never stands for "switched off" where a part knows no off.
const never = 100 * 365 * 24 * time.Hour

// servers maps the configured MCP servers to what the data plane knows of them.
func servers(c *configs.Config) []proxy.ServerOptions {
	out := make([]proxy.ServerOptions, 0, len(c.Proxy.Servers))
	for _, s := range c.Proxy.Servers {
		t := s.Timeouts.Or(c.Proxy.Timeouts)
		o := proxy.ServerOptions{
			Name: s.Name, URL: s.URL, Resource: s.Resource, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams,
			ForwardAuthorization: s.Authorization == "forward", CacheScope: s.CacheScope, Passthrough: s.Passthrough,
			Upstream: proxy.UpstreamOptions{
				MaxConns: c.HTTPPool.Connections, ConnWait: c.HTTPPool.Wait, IdleTimeout: c.HTTPPool.KeepaliveExpiry,
				ConnectTimeout: t.Connect, FirstByteTimeout: t.FirstByte, StreamIdleTimeout: t.IdleStream,
			},
		}
		for _, tool := range s.Tools {
			o.Tools = append(o.Tools, authz.Tool{Name: tool.Name, SensitivityLevel: tool.SensitivityLevel, ReadOnly: tool.ReadOnly})
		}
		out = append(out, o)
	}
	return out
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

// failureLimiter returns the limiter of n refused credentials a minute, nil when n is 0.
func failureLimiter(n int) (proxy.FailureLimiter, error) {
	if n == 0 {
		return nil, nil //nolint:nilnil // no limiter is the answer
	}
	return limit.New(limit.Options{Rate: n, Per: time.Minute, Burst: n})
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
