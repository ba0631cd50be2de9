package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sark/internal/app"
	"sark/internal/telemetry"
)

func (p *program) serveCommand() *cobra.Command {
	c := command("serve", "Runs the gateway until it is told to stop.",
		`It opens the listeners of the configuration (proxy.listen, api.listen, admin.listen), a unix socket for
"sark audit tail", and in data_dir the database and the audit spool. It prints log lines only, on standard
error. SIGTERM or Ctrl-C drains: requests under way get proxy.drain_timeout to end. SIGHUP
reads policy and configuration again: live keys are applied without dropping a request, others are logged.`,
		"docs/configuration.md", "sark serve --config /etc/sark/sark.yaml", "sark serve --preset development --data-dir ./.sark")
	c.Args = noArguments
	c.RunE = func(c *cobra.Command, _ []string) error { return p.serve(c.Context()) }
	return c
}

// serve runs the gateway. Once there is a log, errors go there alone.
func (p *program) serve(ctx context.Context) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	log, level, err := telemetry.NewLogger(telemetry.LogOptions{
		Level: loaded.Config.Log.Level, Format: loaded.Config.Log.Format, Output: p.stderr,
	})
	if err != nil {
		return err
	}
	b := currentBuild()
	hangups := make(chan os.Signal, 1) // one that waits is enough
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	err = app.Run(ctx, app.Options{
		Config: loaded, Version: b.Version, Revision: b.Revision, Log: log, Level: level, Reload: hangups, Load: p.load,
	})
	if err != nil {
		log.Error("the gateway could not go on", zap.String("error", oneLine(err.Error())))
		return exit{exitFailure}
	}
	return nil
}
