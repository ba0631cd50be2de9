// Command sark-demo runs a SARK gateway before an example MCP server on this machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sark/internal/cli"
	"sark/internal/demo"
)

func main() { os.Exit(run()) }

// run ends the program at the first SIGINT or SIGTERM; a second one finds Go's default and kills the process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return demo.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Args[0], cli.Version)
}
