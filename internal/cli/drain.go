package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) drainCommand() *cobra.Command {
	c := command("drain", "Makes the gateway of this host send its clients away, and go on serving.",
		`The gateway becomes unready, and each reply ends its connection, so that clients connect to another gateway.
It serves until it is stopped, which then takes no proxy.drain_grace any more. There is no way back.

It is the preStop hook of a sidecar: Kubernetes stops sidecars last, when their server is gone, and without
it clients would send requests there until then. It talks to the debug listener (debug.listen).`,
		"docs/sidecar.md", "sark drain", "sark drain --config /etc/sark/sark.yaml")
	c.Args = noArguments
	c.RunE = func(c *cobra.Command, _ []string) error { return p.drain(c.Context()) }
	return c
}

func (p *program) drain(ctx context.Context) error {
	loaded, err := p.load()
	if err != nil {
		return err
	}
	listen := loaded.Config.Debug.Listen
	if listen == "" {
		return errors.New("debug.listen is off, so the gateway cannot be told to drain: set it to unix:" +
			loaded.Config.DataDir + "/debug.sock, and start the gateway anew")
	}
	if !strings.HasPrefix(listen, "unix:") {
		listen = "http://" + listen
	}
	c, err := newClient(listen, "")
	if err != nil {
		return err
	}
	defer c.close()
	var told struct {
		Status string `json:"status"`
	}
	if err := c.call(ctx, http.MethodPost, "/drain", nil, &told); err != nil {
		return fmt.Errorf("drain the gateway at %s (debug.listen): %w", c.where, err)
	}
	_, err = fmt.Fprintln(p.stdout, told.Status)
	return err
}
