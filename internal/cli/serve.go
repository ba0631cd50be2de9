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
error. When the configuration file changes, it is read again: live keys are applied without dropping a request,
others are logged, and a file with a mistake changes nothing.

SIGTERM or Ctrl-C drains: the gateway becomes unready, goes on serving for proxy.drain_grace, and gives requests
under way until proxy.drain_timeout to end; a second one kills it. SIGHUP or SIGUSR2 reads policy and configuration
again. SIGUSR1 makes the log as chatty as it can be (debug), and the next one undoes that.`,
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
	signals := make(chan os.Signal, 1) // one that waits is enough
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	err = app.Run(ctx, app.Options{
		Config: loaded, Version: b.Version, Revision: b.Revision, Log: log, Level: level, Signals: signals, Load: p.load, Files: &p.files,
	})
	if err == nil {
		return nil
	}
	message := "the gateway could not go on"
	if app.Unfinished(err) {
		message = "the gateway has stopped and could not finish everything"
	}
	log.Error(message, zap.String("error", oneLine(err.Error())))
	return exit{exitFailure}
}
