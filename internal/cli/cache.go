package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sark/internal/api"
)

func (p *program) cacheCommand() *cobra.Command {
	c := group("cache", "Shows and empties the response cache of a running gateway.",
		`Gateways answer from cache what servers and the management API allow to be stored. With redis.url gateways
share it, and what one forgets all forget.`,
		"sark cache stats", "sark cache purge --server github")
	c.AddCommand(p.cacheStatsCommand(), p.cachePurgeCommand())
	return c
}

// gatewayFlags say which running gateway to ask.
type gatewayFlags struct{ api, tokenFile string }

func (g *gatewayFlags) register(f *pflag.FlagSet) {
	f.StringVar(&g.api, "api", "", "`URL` of the management API: http://HOST:PORT, https://HOST or unix:/PATH")
	f.StringVar(&g.tokenFile, "token-file", "", "`FILE` with an API key or token for --api")
}

// client returns a client of the gateway that is meant: the one on this host, or that of --api.
func (p *program) client(g gatewayFlags) (*client, error) {
	if g.api != "" {
		return newClient(g.api, g.tokenFile)
	}
	if g.tokenFile != "" {
		return nil, misused("--token-file goes with --api; the local socket needs no token")
	}
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	return newSocketClient(loaded.Config.APISocket()), nil
}

func (p *program) cacheStatsCommand() *cobra.Command {
	var g gatewayFlags
	var redis bool
	c := command("stats", "Shows what the response cache of a running gateway did.",
		`It talks to the gateway on this host through the unix socket in data_dir (api.socket), or with --api to any
gateway. Numbers are those of that gateway since it started; with --redis it also asks the shared server,
whose numbers are for everything that is kept there.`,
		"docs/operations.md", "sark cache stats --redis",
		"sark cache stats --api https://sark.example --token-file key.txt --output json")
	c.Args = noArguments
	g.register(c.Flags())
	c.Flags().BoolVar(&redis, "redis", false, "ask the shared Redis or Valkey, too")
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error { return p.cacheStats(c.Context(), g, redis, output.json()) }
	return c
}

func (p *program) cacheStats(ctx context.Context, g gatewayFlags, redis, asJSON bool) error {
	c, err := p.client(g)
	if err != nil {
		return err
	}
	defer c.close()
	query := url.Values{}
	if redis {
		query.Set("redis", "true")
	}
	var s api.CacheStats
	if err := c.call(ctx, http.MethodGet, "/api/v1/cache/stats?"+query.Encode(), nil, &s); err != nil {
		return cacheUnanswered(c, err)
	}
	if asJSON {
		return p.printJSON(s)
	}
	return p.printCacheStats(&s, redis)
}

func (p *program) cachePurgeCommand() *cobra.Command {
	var g gatewayFlags
	var purge api.CachePurge
	var all, servers bool
	c := command("purge", "Makes a running gateway, and all that share its cache, forget what they keep.",
		`Exactly one of --all, --servers and --server says what. Nothing is answered from what was kept once the
command has ended with 0. When a layer could not be reached the command names it and ends with 1; the
gateway serves nothing of it meanwhile and tries again.`,
		"docs/operations.md", "sark cache purge --all",
		"sark cache purge --server github --api https://sark.example --token-file key.txt")
	c.Args = noArguments
	g.register(c.Flags())
	c.Flags().BoolVar(&all, "all", false, "everything that is cached")
	c.Flags().BoolVar(&servers, "servers", false, "what is cached of the registry and of every server")
	c.Flags().StringVar(&purge.Server, "server", "", "what is cached of the registry and of one server: its `ID` or name")
	output := addOutput(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		var chosen int
		for scope, is := range map[string]bool{api.PurgeAll: all, api.PurgeServers: servers, api.PurgeServer: purge.Server != ""} {
			if is {
				purge.Scope = scope
				chosen++
			}
		}
		if chosen != 1 {
			return misused("say what to forget: one of --all, --servers and --server ID")
		}
		return p.cachePurge(c.Context(), g, purge, output.json())
	}
	return c
}

func (p *program) cachePurge(ctx context.Context, g gatewayFlags, purge api.CachePurge, asJSON bool) error {
	c, err := p.client(g)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.call(ctx, http.MethodPost, "/api/v1/cache/invalidate", purge, nil); err != nil {
		return cacheUnanswered(c, err)
	}
	if asJSON {
		return p.printJSON(purge)
	}
	what := map[string]string{
		api.PurgeAll: "everything", api.PurgeServers: "the registry and all servers", api.PurgeServer: "the registry and server " + purge.Server,
	}
	_, err = fmt.Fprintf(p.stdout, "forgotten: %s\n", cell(what[purge.Scope], 0))
	return err
}

// cacheUnanswered explains why there was no answer.
func cacheUnanswered(c *client, err error) error {
	return noAnswer(c, err, "its cache", "with the role admin")
}

// noAnswer explains why a gateway did not answer about something, and which key may ask.
func noAnswer(c *client, err error, about, key string) error {
	var r *refusal
	switch {
	case errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden):
		return fmt.Errorf("%s refuses: %w; name a key %s with --token-file", c.where, err, key)
	case errors.As(err, &r):
		return fmt.Errorf("ask %s about %s: %w", c.where, about, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is for the gateway's own user only (%w); run this as that user, or use --api with a key", c.where, err)
	}
	return fmt.Errorf("no gateway answers at %s (%w); start one with \"sark serve\", or name its --config, its --data-dir or its --api",
		c.where, err)
}
