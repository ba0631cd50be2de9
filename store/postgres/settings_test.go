package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"sark/configs"
	"sark/internal/testkit"
	"sark/store/postgres"
)

// fromEnvironment opens a database as a gateway does whose environment holds one variable.
func fromEnvironment(t *testing.T, url, variable string) *postgres.DB {
	t.Helper()
	loaded, err := configs.Load(configs.Options{Environ: []string{variable}})
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Config.Store.Postgres
	return open(t, postgres.Options{
		URL: url, PoolSize: c.PoolSize, MaxOverflow: c.MaxOverflow, PoolTimeout: c.PoolTimeout, PoolRecycle: c.PoolRecycle,
		PrePing: c.PoolPrePing, Echo: c.EchoPool, AuditPoolSize: c.AuditPoolSize,
	})
}

// TestSeedSettingsReachThePools sets each POSTGRES_* variable and looks for it in the configuration of the live pools.
func TestSeedSettingsReachThePools(t *testing.T) {
	url := testkit.Postgres(t)
	pings := func(l postgres.Live) bool { return l.Config.ShouldPing(t.Context(), pgxpool.ShouldPingParams{}) }
	for _, c := range []struct {
		variable string
		get      func(api, audit postgres.Live) any
		want     any
	}{
		{"POSTGRES_POOL_SIZE=7", func(api, _ postgres.Live) any { return [2]int32{api.Config.MinConns, api.Config.MaxConns} }, [2]int32{7, 17}},
		{"POSTGRES_MAX_OVERFLOW=3", func(api, _ postgres.Live) any { return [2]int32{api.Config.MinConns, api.Config.MaxConns} }, [2]int32{20, 23}},
		{"POSTGRES_POOL_TIMEOUT=1.5", func(api, audit postgres.Live) any { return [2]time.Duration{api.Timeout, audit.Timeout} }, [2]time.Duration{1500 * time.Millisecond, 1500 * time.Millisecond}},
		{"POSTGRES_POOL_RECYCLE=1800", func(api, audit postgres.Live) any {
			return [3]time.Duration{api.Config.MaxConnLifetime, api.Config.MaxConnLifetimeJitter, audit.Config.MaxConnLifetime}
		}, [3]time.Duration{30 * time.Minute, 3 * time.Minute, 30 * time.Minute}},
		{"POSTGRES_POOL_RECYCLE=-1", func(api, _ postgres.Live) any { return api.Config.MaxConnLifetime > 10*365*24*time.Hour }, true},
		{"POSTGRES_POOL_PRE_PING=false", func(api, audit postgres.Live) any { return [2]bool{pings(api), pings(audit)} }, [2]bool{false, false}},
		{"POSTGRES_POOL_PRE_PING=true", func(api, audit postgres.Live) any { return [2]bool{pings(api), pings(audit)} }, [2]bool{true, true}},
		{"POSTGRES_ECHO_POOL=true", func(api, audit postgres.Live) any {
			_, first := api.Config.ConnConfig.Tracer.(pgxpool.AcquireTracer)
			_, second := audit.Config.ConnConfig.Tracer.(pgxpool.ReleaseTracer)
			return [2]bool{first, second}
		}, [2]bool{true, true}},
		{"POSTGRES_ECHO_POOL=false", func(api, _ postgres.Live) any { return api.Config.ConnConfig.Tracer == nil }, true},
		{"SARK_STORE_POSTGRES_AUDIT_POOL_SIZE=3", func(_, audit postgres.Live) any { return [2]int32{audit.Config.MinConns, audit.Config.MaxConns} }, [2]int32{3, 3}},
	} {
		t.Run(c.variable, func(t *testing.T) {
			d := fromEnvironment(t, url, c.variable)
			if diff := cmp.Diff(c.want, c.get(d.API(), d.Audit())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for name, o := range map[string]postgres.Options{
		"no log":      {URL: "postgres://"},
		"size":        {PoolSize: -1},
		"overflow":    {MaxOverflow: -1},
		"audit":       {AuditPoolSize: 1 << 20},
		"timeout":     {PoolTimeout: -1},
		"bad url":     {URL: "postgres://sark:hush@%zz"},
		"bad value":   {URL: "postgres://sark:hush@127.0.0.1:1/sark?pool_max_conns=many"},
		"no server":   {URL: "postgres://sark:hush@127.0.0.1:1/sark?connect_timeout=1"},
		"simple mode": {URL: "postgres://127.0.0.1:1/sark?default_query_exec_mode=simple_protocol"},
	} {
		if name != "no log" {
			o.Log = nop()
		}
		if o.URL == "" {
			o.URL = "postgres://127.0.0.1:1/sark"
		}
		d, err := postgres.Open(t.Context(), o)
		if err == nil {
			t.Errorf("%s: opened; close: %v", name, d.Close())
			continue
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error gives the password away: %v", name, err)
		}
	}
}

func TestURLWithPoolParameters(t *testing.T) {
	d := open(t, postgres.Options{URL: withParameter(t, testkit.Postgres(t), "pool_max_conns", "9"), PoolSize: 1})
	if got := d.API().Config.MaxConns; got != 1 {
		t.Errorf("at most %d connections, want 1", got)
	}
}
