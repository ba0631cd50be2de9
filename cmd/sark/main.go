// Command sark is the gateway and the tools around it; see docs/cli.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sark/internal/cli"
)

func main() { os.Exit(run()) }

// run ends the command at the first SIGINT or SIGTERM; a second one finds Go's default and kills the process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}
