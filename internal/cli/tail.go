package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"sark/configs"
)

const (
	// lateness is how much later than audit.open_after an event may reach the database and still be shown.
	lateness = 30 * time.Second
	// behindFrom is from which lag_seconds on the trail is called behind: batches alone take less.
	behindFrom = 2 * time.Second
	// maxLines bounds --lines.
	maxLines = 10_000
)

// tailOptions are the flags of audit tail.
type tailOptions struct {
	api, tokenFile string
	lines          int
	follow, all    bool
	interval       time.Duration
	events         *eventFlags
	output         *choice
}

func (p *program) auditTailCommand() *cobra.Command {
	var o tailOptions
	c := command("tail", "Shows the latest events of a running gateway, and new ones as they come.",
		`It talks to the gateway on this host through the unix socket in data_dir (api.socket), or with --api to any
gateway. Ctrl-C ends it. It waits for a gateway that restarts. Events come in the order of their time; a
call that took long appears when it has ended, under the time when it began. Reading the trail leaves
events as well: successful reads, such as its own, are left out unless --all is given, or they are asked for.
Filters are joined by AND. When the database is behind the gateway, standard error says so.`,
		"docs/audit-schema.md", "sark audit tail --decision deny --since 15m", "sark audit tail --config /etc/sark/sark.yaml",
		"sark audit tail --api https://sark.example --token-file key.txt --output json")
	c.Args = noArguments
	f := c.Flags()
	f.StringVar(&o.api, "api", "", "`URL` of the management API: http://HOST:PORT, https://HOST or unix:/PATH")
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with an API key or token for --api")
	f.IntVarP(&o.lines, "lines", "n", 10, "begin with the latest `N` events")
	f.BoolVarP(&o.follow, "follow", "f", true, "go on with new events; --follow=false ends after the first ones")
	f.BoolVar(&o.all, "all", false, "show successful reads of the trail, too")
	f.DurationVar(&o.interval, "interval", time.Second, "`SPAN` between two questions for new events")
	o.events = p.addEventFlags(f)
	o.output = addOutput(f)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.auditTail(c.Context(), o) }
	return c
}

func (p *program) auditTail(ctx context.Context, o tailOptions) error {
	if o.lines < 0 || o.lines > maxLines {
		return misused("--lines: should be 0 to %d", maxLines)
	}
	if o.interval <= 0 {
		return misused("--interval: should be more than 0s")
	}
	if o.tokenFile != "" && o.api == "" {
		return misused("--token-file goes with --api; the local socket needs no token")
	}
	filter, err := o.events.chosen()
	if err != nil {
		return err
	}
	c, overlap, err := p.dial(o)
	if err != nil {
		return err
	}
	defer c.close()
	f := newFollower(c, filter, overlap, o.all, p.now)
	events, err := f.start(ctx, o.lines)
	if stopped(ctx) {
		return nil
	}
	if err != nil {
		return unanswered(c, o.api, err)
	}
	p.noteLag(false, f.lag)
	printer := newEventPrinter(p.stdout, o.output.json())
	if err := printer.print(events); err != nil || !o.follow {
		return err
	}
	return p.follow(ctx, f, printer, o.interval)
}

// dial returns the gateway to ask, and how late its events may be. With --api no configuration is read.
func (p *program) dial(o tailOptions) (*client, time.Duration, error) {
	if o.api != "" {
		c, err := newClient(o.api, o.tokenFile)
		return c, configs.Default().Audit.OpenAfter + lateness, err
	}
	loaded, err := p.load()
	if err != nil {
		return nil, 0, err
	}
	return newSocketClient(loaded.Config.APISocket()), loaded.Config.Audit.OpenAfter + lateness, nil
}

// follow prints new events until ctx ends, and waits for a gateway that does not answer.
func (p *program) follow(ctx context.Context, f *follower, printer *eventPrinter, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	silent, behind := false, f.lag >= behindFrom
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		events, err := f.next(ctx)
		switch {
		case stopped(ctx):
			return nil
		case errors.Is(err, errTooMany):
			p.say("sark: %s; sark audit query finds them", err)
		case err != nil && !transient(err):
			return fmt.Errorf("ask %s for events: %w", f.client.where, err)
		case err != nil && !silent:
			silent = true
			p.say("sark: the gateway at %s does not answer (%s); waiting for it", f.client.where, oneLine(err.Error()))
		case err == nil && silent:
			silent = false
			p.say("sark: the gateway answers again")
		}
		behind = p.noteLag(behind, f.lag)
		if err := printer.print(events); err != nil {
			return err
		}
	}
}

// noteLag says when the trail begins to be behind, and when it is no more; it returns whether it is.
func (p *program) noteLag(before bool, lag time.Duration) bool {
	behind := lag >= behindFrom
	switch {
	case behind && !before:
		p.say("note: the trail is %s behind the gateway; newer events come when the database has them", lag.Round(time.Second))
	case before && !behind:
		p.say("note: the trail has caught up with the gateway")
	}
	return behind
}

// unanswered explains why the first question had no answer.
func unanswered(c *client, api string, err error) error {
	var r *refusal
	switch {
	case errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden):
		return fmt.Errorf("%s refuses: %w; name a key that may audit:read with --token-file", c.where, err)
	case errors.As(err, &r) && r.status == http.StatusServiceUnavailable:
		return fmt.Errorf("%s cannot read the trail: %w; sark doctor tells how its database is, and events wait in the spool until it answers", c.where, err)
	case errors.As(err, &r):
		return fmt.Errorf("%s has no events for us: %w; is it the management API (api.listen) of a gateway?", c.where, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is for the gateway's own user only (%w); run this as that user, or use --api with a key", c.where, err)
	case api != "":
		return fmt.Errorf("no gateway answers at %s (%w); is api.listen reachable from here?", c.where, err)
	}
	return fmt.Errorf("no gateway answers at %s (%w); start one with \"sark serve\", or name its --config, its --data-dir or its --api",
		c.where, err)
}
