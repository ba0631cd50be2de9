package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sark/internal/app"
	"sark/internal/authn"
)

// GatewayOptions say how the demonstration runs.
type GatewayOptions struct {
	// DataDir keeps the configuration, the trail and the registry; it is made when missing.
	DataDir string
	// Bundle is the policy (authz.bundle); empty is what is built in.
	Bundle string
	// Listen, API and Admin are the gateway's addresses; port 0 takes a free one.
	Listen, API, Admin string
	// Stateful runs the example server with sessions (revisions up to 2025-11-25) instead of the stateless revision.
	Stateful bool
	// Version is the build's version.
	Version string
	// Command is how this program was called, for the commands to paste; Sark is the path of the sark binary.
	Command, Sark string
	// Out receives what the user should read.
	Out io.Writer
}

// serverName is the name of the example server: it is served at /helpdesk/mcp and, as the only one, at /mcp.
const serverName = "helpdesk"

// key is an API key of the demonstration. It is new at every start.
type key struct {
	role string // its id, too
	text string // what its owner sends
	hash [32]byte
}

// Run starts the example MCP server and a gateway before it, prints how to use them, and serves until ctx ends. Two
// demonstrations cannot share a data directory: the second one is refused.
func Run(ctx context.Context, o GatewayOptions) error {
	dir, err := makeDataDir(o.DataDir)
	if err != nil {
		return err
	}
	o.DataDir = dir
	if o.Bundle != "" { // the sark commands read the configuration from wherever they are
		if o.Bundle, err = filepath.Abs(o.Bundle); err != nil {
			return fmt.Errorf("find the policy: %w", err)
		}
	}
	url, stop, err := serveExample(o.Stateful)
	if err != nil {
		return err
	}
	defer stop()
	keys, err := newKeys()
	if err != nil {
		return err
	}
	c, err := newConfiguration(o, url, keys)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var unwritten error
	err = app.Run(ctx, app.Options{
		Config: c.loaded, Version: o.Version,
		Ready: func(a app.Addresses) {
			if unwritten = c.write(); unwritten != nil {
				cancel()
				return
			}
			welcome(o, a, url, c.path, keys)
		},
	})
	return errors.Join(err, unwritten)
}

// makeDataDir makes the directory and returns its absolute path.
func makeDataDir(name string) (string, error) {
	if name == "" {
		return "", errors.New("--data-dir is empty: name a directory")
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	return dir, nil
}

// newKeys makes the keys of an analyst and an administrator.
func newKeys() ([]key, error) {
	keys := []key{{role: "analyst"}, {role: "admin"}}
	for i := range keys {
		k := &keys[i]
		var err error
		if k.text, k.hash, err = authn.NewAPIKey(k.role); err != nil {
			return nil, fmt.Errorf("make an API key: %w", err)
		}
	}
	return keys, nil
}

// serveExample runs the example MCP server on a free port of loopback.
func serveExample(stateful bool) (url string, stop func(), err error) {
	s, err := NewServer(Options{Stateful: stateful})
	if err != nil {
		return "", nil, fmt.Errorf("make the example server: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the example server: %w", err)
	}
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(l) // always http.ErrServerClosed: stop is the only way it ends
	}()
	stop = func() {
		_ = s.Close() // sessions of a client that left may be broken
		_ = web.Close()
		<-done
	}
	return "http://" + l.Addr().String() + "/mcp", stop, nil
}
