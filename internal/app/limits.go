package app

import (
	"context"
	"fmt"
	"time"

	"sark/configs"
	"sark/internal/limit"
	"sark/internal/session"
	"sark/proxy"
)

// openSessions opens the table of sessions and tasks, which replicas share when there is a Redis.
func (g *gateway) openSessions(context.Context) (err error) {
	c := g.c
	o := session.Options{
		TTL: c.Sessions.TTL, MaxPerPrincipal: c.Sessions.MaxPerPrincipal,
		Timeout: c.Redis.SocketTimeout, Health: c.Redis.HealthCheckInterval, HMACKey: []byte(c.Redis.HMACKey), Registerer: g.metrics,
	}
	if url := c.SessionsRedisURL(); url != "" {
		if o.Client, err = g.client("sessions.redis_url", url); err != nil {
			return err
		}
	}
	if g.sessions, err = session.New(o); err != nil {
		return err
	}
	g.life.onStop("sessions", func(context.Context) error { g.sessions.Close(); return nil })
	return nil
}

// openLimits opens the counter of calls, which counts those of all replicas when there is a Redis.
func (g *gateway) openLimits(context.Context) (err error) {
	c := g.c
	o := limit.CounterOptions{Timeout: c.Limits.Timeout, Health: c.Redis.HealthCheckInterval, Registerer: g.metrics}
	if url := c.LimitsRedisURL(); url != "" && c.Limits.Shared {
		if o.Client, err = g.client("limits.redis_url", url); err != nil {
			return err
		}
	}
	if g.limits, err = limit.NewCounter(o); err != nil {
		return err
	}
	g.life.onStop("limits", func(context.Context) error { g.limits.Close(); return nil })
	return nil
}

// rateOf is how fast calls of everybody are forwarded to one server; the zero rate is that of all servers.
func rateOf(own configs.ServerLimit, common configs.Limits) (limit.Rate, error) {
	if own == (configs.ServerLimit{}) {
		return limit.Rate{}, nil
	}
	return perMinute(either(own.Rate, common.ServerRate), either(own.Burst, common.ServerBurst))
}

// rates maps the configured limits to how fast calls are forwarded.
func rates(c configs.Limits) (r proxy.Rates, err error) {
	for _, l := range []struct {
		key         string
		rate, burst int
		into        *limit.Rate
	}{
		{"limits.principal_rate", c.PrincipalRate, c.PrincipalBurst, &r.Principal},
		{"limits.server_rate", c.ServerRate, c.ServerBurst, &r.Server},
		{"limits.tool_rate", c.ToolRate, c.ToolBurst, &r.Tool},
	} {
		if *l.into, err = perMinute(l.rate, l.burst); err != nil {
			return r, fmt.Errorf("%s: %w", l.key, err)
		}
	}
	return r, nil
}

// perMinute is a rate of calls a minute; none sets no limit.
func perMinute(calls, burst int) (limit.Rate, error) {
	if calls == 0 {
		return limit.Rate{}, nil
	}
	return limit.NewRate(calls, time.Minute, burst)
}

// either returns own unless it is zero.
func either(own, common int) int {
	if own != 0 {
		return own
	}
	return common
}
