package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"
)

// GatewayOptions says which gateway to start. Binary and Dir are required, and Upstream or Servers.
type GatewayOptions struct {
	// Binary is the path of sark.
	Binary string
	// Dir is an existing directory that the gateway gets for its configuration file and its data.
	Dir string
	// Upstream is the URL of the one MCP server behind the gateway, called "upstream", whose path the gateway serves.
	Upstream string
	// Servers are several MCP servers instead of the one of Upstream, as proxy.servers has them.
	Servers []map[string]any
	// Place is where it runs. With a user of its own everything in Dir is given to that user, who has to be able to reach it,
	// and so is a copy of Binary.
	Place Place
	// Listen is the address of its proxy; "" is a free one on loopback.
	Listen string
	// Proxy are further keys of the section proxy.
	Proxy map[string]any
	// Sections are the other top-level keys of the configuration file: authn, authz, cache, audit.
	Sections map[string]any
	// Log receives what the gateway prints; nil discards it.
	Log io.Writer
}

func (o GatewayOptions) validate() error {
	var errs []error
	for _, field := range []struct{ name, value string }{
		{"Binary", o.Binary}, {"Dir", o.Dir},
	} {
		if field.value == "" {
			errs = append(errs, fmt.Errorf("start gateway: %s is empty", field.name))
		}
	}
	if (o.Upstream == "") == (len(o.Servers) == 0) {
		errs = append(errs, errors.New("start gateway: want Upstream or Servers"))
	}
	return errors.Join(errs...)
}

func (o GatewayOptions) servers() []map[string]any {
	if o.Upstream == "" {
		return o.Servers
	}
	return []map[string]any{{"name": "upstream", "url": o.Upstream, "sensitivity_level": "low"}}
}

// Gateway is a running `sark serve`. Its owner must call Stop.
type Gateway struct {
	*Process
	// Proxy, API and Admin are the addresses of its listeners, "127.0.0.1:port" but for GatewayOptions.Listen.
	Proxy, API, Admin string
	// Startup is the time from exec to the first 200 of /health/ready.
	Startup time.Duration

	place Place
}

// StartGateway writes a configuration file, runs `sark serve` on it and returns when the gateway is ready, or an error
// when it ends first or ctx does.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	g, err := newGateway(o)
	if err != nil {
		return nil, err
	}
	file, err := g.writeConfig(o)
	if err != nil {
		return nil, err
	}
	binary, err := o.Place.give(o.Dir, o.Binary)
	if err != nil {
		return nil, fmt.Errorf("give the gateway its files: %w", err)
	}
	begin := time.Now()
	g.Process, err = o.Place.Start("sark", []string{binary, "serve", "--config", file}, o.Log)
	if err != nil {
		return nil, err
	}
	if err := g.Await(ctx, g.ready); err != nil {
		return nil, errors.Join(err, g.Stop())
	}
	g.Startup = time.Since(begin)
	return g, nil
}

// ready is the readiness check of the gateway.
func (g *Gateway) ready(ctx context.Context) error {
	_, err := get(ctx, g.place.Client(), "http://"+g.Admin+"/health/ready")
	return err
}

func newGateway(o GatewayOptions) (*Gateway, error) {
	g := &Gateway{place: o.Place}
	for _, addr := range []*string{&g.Proxy, &g.API, &g.Admin} {
		free, err := FreeAddr()
		if err != nil {
			return nil, err
		}
		*addr = free
	}
	g.Proxy = cmp.Or(o.Listen, g.Proxy)
	return g, nil
}

func (g *Gateway) writeConfig(o GatewayOptions) (string, error) {
	config := map[string]any{
		"data_dir": filepath.Join(o.Dir, "data"),
		"proxy": map[string]any{
			"listen":  g.Proxy,
			"servers": o.servers(),
		},
		"api":   map[string]any{"listen": g.API},
		"admin": map[string]any{"listen": g.Admin},
	}
	if err := merge(config["proxy"].(map[string]any), o.Proxy, "key proxy."); err != nil { //nolint:forcetypeassert // see above
		return "", err
	}
	if err := merge(config, o.Sections, "section "); err != nil {
		return "", err
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("write gateway configuration: %w", err)
	}
	file := filepath.Join(o.Dir, "sark.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("write gateway configuration: %w", err)
	}
	return file, nil
}

// merge adds what is more to section; what the rig has set itself is its own.
func merge(section, more map[string]any, kind string) error {
	for key, value := range more {
		if _, taken := section[key]; taken {
			return fmt.Errorf("write gateway configuration: %s%s is the rig's", kind, key)
		}
		section[key] = value
	}
	return nil
}
