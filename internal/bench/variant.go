package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	"sark/internal/rig"
)

// The names of the variants in a Report.
const (
	Direct = "direct"
	Bare   = "bare proxy"
	Sark   = "sark"             // its trail goes to SQLite, in its own process
	Spool  = "sark, spool only" // its database is away: what the request costs without what follows it
	Server = "sark, PostgreSQL" // only with Options.Postgres
)

// nobody is an address where nothing listens.
const nobody = "127.0.0.1:9"

// gateways are the variants of SARK: their names, and where their trails go.
func (o Options) gateways() []gateway {
	all := []gateway{{Sark, nil}, {Spool, map[string]any{"url": "postgres://sark@" + nobody + "/sark"}}}
	if o.Postgres != "" {
		all = append(all, gateway{Server, map[string]any{"url": o.Postgres}})
	}
	return all
}

// gateway is a variant of SARK and its section store; nil is the default.
type gateway struct {
	name  string
	store map[string]any
}

// policy allows the measured call for a reason that OPA has to look for.
const policy = `package sark

default decision := {"allow": false, "reason": "no rule allows this", "rule": "default"}

decision := {"allow": true, "reason": "the caller may invoke tools", "rule": "bench"} if {
	"bench" in input.principal.roles
	input.action in {"tool:invoke", "tool:list", "resource:read", "http:get"}
}
`

// variant is one way to the upstream: a listener, and the process whose CPU time counts.
type variant struct {
	name    string
	addr    string
	process *rig.Process
}

// bed holds every process of a run, and stops them all.
type bed struct {
	upstream *rig.Process
	variants []variant
	stops    []func() error
}

// newBed starts the upstream, the bare proxy and the gateways below dir and returns when all of them are ready. On an
// error it has stopped what it had started.
func newBed(ctx context.Context, o Options, p provider, dir string) (*bed, error) {
	b := new(bed)
	if err := b.start(ctx, o, p, dir); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

func (b *bed) start(ctx context.Context, o Options, p provider, dir string) error {
	upstream, err := b.child(ctx, "upstream", o.Upstream, o.Log)
	if err != nil {
		return err
	}
	b.upstream = upstream.process
	bare, err := b.child(ctx, Bare, append(o.Proxy[:len(o.Proxy):len(o.Proxy)], "-upstream", upstream.addr), o.Log)
	if err != nil {
		return err
	}
	upstream.name = Direct
	b.variants = []variant{upstream, bare}
	for i, way := range o.gateways() {
		set := settings{policy: policy}
		if way.store != nil {
			set.sections = map[string]any{"store": way.store}
		}
		g, err := startGateway(ctx, o, p, upstream.addr, filepath.Join(dir, strconv.Itoa(i)), set)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		stop := g.Stop
		if way.name == Spool {
			stop = g.Kill // it would try to store the trail
		}
		b.stops = append(b.stops, stop)
		b.variants = append(b.variants, variant{name: way.name, addr: g.Proxy, process: g.Process})
	}
	return nil
}

// child starts a command that takes its address from the flag -listen.
func (b *bed) child(ctx context.Context, name string, argv []string, log io.Writer) (variant, error) {
	addr, err := rig.FreeAddr()
	if err != nil {
		return variant{}, err
	}
	p, err := rig.Start(name, append(argv[:len(argv):len(argv)], "-listen", addr), log)
	if err != nil {
		return variant{}, err
	}
	b.stops = append(b.stops, p.Stop)
	return variant{name: name, addr: addr, process: p}, p.Await(ctx, rig.Listening(addr))
}

func (b *bed) stop() error {
	var errs []error
	for i := len(b.stops) - 1; i >= 0; i-- { // The upstream last: nobody should miss it.
		errs = append(errs, b.stops[i]())
	}
	return errors.Join(errs...)
}

// settings are what tells the gateways of the measurements apart.
type settings struct {
	policy   string         // Rego of package sark
	server   map[string]any // further keys of the upstream server
	proxy    map[string]any // further keys of the section proxy
	sections map[string]any // further sections
}

// startGateway runs SARK with every station of a governed call at work: token, policy, written audit event.
func startGateway(ctx context.Context, o Options, p provider, upstream, dir string, set settings) (*rig.Gateway, error) {
	key, err := p.publicKey()
	if err != nil {
		return nil, err
	}
	bundle := filepath.Join(dir, "policy")
	if err := os.MkdirAll(bundle, 0o750); err != nil {
		return nil, fmt.Errorf("prepare the gateway: %w", err)
	}
	keyFile := filepath.Join(dir, "idp.pem")
	err = errors.Join(
		os.WriteFile(keyFile, key, 0o600),
		os.WriteFile(filepath.Join(bundle, "bench.rego"), []byte(set.policy), 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("prepare the gateway: %w", err)
	}
	sections := map[string]any{
		"authn": map[string]any{"jwt": map[string]any{
			"issuer": issuer, "audience": audience, "key_file": keyFile,
			"claims": map[string]any{"roles": "roles", "teams": "groups"},
		}},
		"authz": map[string]any{"bundle": bundle},
		"cache": map[string]any{"enabled": false},
		"audit": map[string]any{"durability": "written", "max_bytes": "16GiB"},
		// For profiles of a run that is under way.
		"debug": map[string]any{"listen": "unix:" + filepath.Join(dir, "debug.sock")},
	}
	maps.Copy(sections, set.sections)
	server := map[string]any{"name": "upstream", "url": "http://" + upstream + "/mcp", "sensitivity_level": "low"}
	maps.Copy(server, set.server)
	return rig.StartGateway(ctx, rig.GatewayOptions{
		Binary:   o.Binary,
		Dir:      dir,
		Servers:  []map[string]any{server},
		Proxy:    set.proxy,
		Sections: sections,
		Log:      o.Log,
	})
}
