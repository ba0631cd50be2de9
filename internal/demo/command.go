package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// Main runs the sark-demo program and returns its exit code: 0 when it was done, 1 when it could not be or a call was
// refused. command is how the program was called, for the commands that it prints. Ending ctx stops it.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, command, version string) int {
	root := newCommand(stdout, command, version)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, errCall):
		_, _ = fmt.Fprintln(stderr, "sark-demo:", err)
	}
	return 1
}

func newCommand(out io.Writer, command, version string) *cobra.Command {
	o := GatewayOptions{Version: version, Command: command, Out: out}
	root := &cobra.Command{
		Use:   "sark-demo",
		Short: "Run SARK before an example MCP server, on this machine alone",
		Long: `sark-demo runs an example MCP server (a helpdesk) and a SARK gateway before it in one process on loopback.
It needs no database and no network, prints two API keys and commands to try, and keeps its data in --data-dir.`,
		Example:       "  sark-demo\n  sark-demo --listen 127.0.0.1:8080 --data-dir /tmp/sark",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		RunE:          func(c *cobra.Command, _ []string) error { return Run(c.Context(), o) },
	}
	f := root.Flags()
	f.StringVar(&o.DataDir, "data-dir", ".sark", "directory for the configuration, the audit trail and the registry")
	f.StringVar(&o.Bundle, "bundle", "", "policy directory or bundle file (authz.bundle) in place of the default policy; changes come into force by themselves")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the MCP endpoint; port 0 takes a free one")
	f.StringVar(&o.API, "api-listen", "127.0.0.1:0", "address of the management API")
	f.StringVar(&o.Admin, "admin-listen", "127.0.0.1:0", "address of health and metrics")
	f.BoolVar(&o.Stateful, "stateful", false, "run the example server with sessions, as servers before 2026-07-28 do")
	f.StringVar(&o.Sark, "sark", sarkBeside(command), "how to call the sark program in the printed commands")
	root.AddCommand(newCallCommand(out))
	return root
}

// sarkBeside returns how to call the sark program: the one that lies beside this one, else the one in the path.
func sarkBeside(command string) string {
	if !filepath.IsAbs(command) && filepath.Base(command) == command {
		return "sark" // this one was found in the path, too
	}
	beside := filepath.Join(filepath.Dir(command), "sark")
	if _, err := os.Stat(beside); err != nil {
		return "sark"
	}
	if filepath.Base(beside) == beside {
		return "./" + beside // "./sark-demo" became "sark"
	}
	return beside
}
