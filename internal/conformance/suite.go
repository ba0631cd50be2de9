package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"sark/internal/rig"
)

// StartServer starts the reference server of a leg on a free loopback port and returns it with the URL of its MCP
// endpoint once it listens. The caller must stop it.
func (k *Kit) StartServer(ctx context.Context, leg Leg, log io.Writer) (*rig.Process, string, error) {
	addr, err := rig.FreeAddr()
	if err != nil {
		return nil, "", err
	}
	argv := []string{k.server, "-http=" + addr, fmt.Sprintf("-stateless=%t", leg.Stateless)}
	p, err := rig.Start("everything-server", argv, log)
	if err != nil {
		return nil, "", err
	}
	if err := p.Await(ctx, rig.Listening(addr)); err != nil {
		return nil, "", errors.Join(err, p.Stop())
	}
	return p, "http://" + addr + "/mcp", nil
}

// secure is a module for Node. The suite sends the requests whose headers it makes itself through http.request whatever
// the scheme of the URL; with it they are sent through https.request.
const secure = `data:text/javascript,import http from "node:http"; import https from "node:https"; http.request = https.request`

// Site is where the suite finds an MCP server.
type Site struct {
	// URL is the MCP endpoint.
	URL string
	// Namespace is where the suite runs; nil is where this process does.
	Namespace *rig.Namespace
	// CAFile is the PEM file of the authority behind the certificate of an https URL; empty leaves it to Node.
	CAFile string
}

// Run runs the suite of a leg against a site, leaves its records below dir, which must be new, and returns what it found.
// A failed check is a finding and not an error.
func (k *Kit) Run(ctx context.Context, leg Leg, site Site, dir string, log io.Writer) (Report, error) {
	argv := []string{k.suite, "server", "--url", site.URL, "--requirements", leg.Requirements, "-o", dir}
	if strings.HasPrefix(site.URL, "https:") {
		argv = append([]string{"--import", secure}, argv...)
	}
	cmd := exec.CommandContext(ctx, k.node, argv...) //nolint:gosec // G204: the suite that Install put there.
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+site.CAFile)
	cmd.Stdout, cmd.Stderr = log, log
	var exit *exec.ExitError
	err := site.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: a scored check failed.
		return nil, fmt.Errorf("run the conformance suite for %s: %w", leg.Requirements, err)
	}
	return Read(dir)
}

// start starts a command where the suite runs.
func (s Site) start(cmd *exec.Cmd) error {
	if s.Namespace == nil {
		return cmd.Start()
	}
	return s.Namespace.Do(cmd.Start)
}
