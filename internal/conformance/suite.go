package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

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

// Run runs the suite of a leg against url, leaves its records below dir, which must be new, and returns what it found.
// A failed check is a finding and not an error.
func (k *Kit) Run(ctx context.Context, leg Leg, url, dir string, log io.Writer) (Report, error) {
	cmd := exec.CommandContext(ctx, k.node, k.suite, "server", //nolint:gosec // G204: the suite that Install put there.
		"--url", url, "--requirements", leg.Requirements, "-o", dir)
	cmd.Stdout, cmd.Stderr = log, log
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: a scored check failed.
		return nil, fmt.Errorf("run the conformance suite for %s: %w", leg.Requirements, err)
	}
	return Read(dir)
}
