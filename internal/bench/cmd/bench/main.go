// Command bench compares SARK with a bare proxy and with no proxy at all, and prints a table. `make bench` runs it, and
// `make bench-cache`, `make bench-streams` and `make soak`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sark/internal/bench"
)

const usage = `usage: bench run [flags]                        measure and print the table (bench run -h lists the flags)
       bench cache [flags]                      measure hits, misses and the hit rate of the cache
       bench streams [flags]                    measure what idle event streams take
       bench soak [flags]                       send mixed traffic for long, and watch the gateway's memory
       bench moods -listen ADDR                 be the upstream of streams and soak
       bench upstream -listen ADDR              be the upstream of a run
       bench catalogue -listen ADDR             be the upstream of cache
       bench proxy -listen ADDR -upstream ADDR  be the bare proxy of a run
`

// errUsage is a mistake in the command; main shows how it is used.
var errUsage = errors.New("want one of run, cache, streams, soak, upstream, catalogue, moods, proxy")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		if errors.Is(err, errUsage) {
			fmt.Fprint(os.Stderr, usage)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "run":
		return measure(ctx, flags, args[1:])
	case "cache":
		return cache(ctx, flags, args[1:])
	case "streams":
		return streams(ctx, flags, args[1:])
	case "soak":
		return soak(ctx, flags, args[1:])
	case "upstream", "catalogue", "moods", "proxy":
		return serve(flags, args)
	default:
		return fmt.Errorf("unknown command %q: %w", args[0], errUsage)
	}
}

// serve is a child process of a run. It ends by the signal that its parent sends.
func serve(flags *flag.FlagSet, args []string) error {
	listen := flags.String("listen", "", "the `address` to listen on")
	upstream := flags.String("upstream", "", "the `address` to forward to (proxy only)")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	signal.Reset(syscall.SIGTERM)
	switch args[0] {
	case "proxy":
		return bench.ServeProxy(*listen, *upstream)
	case "moods":
		return bench.ServeMoods(*listen)
	case "catalogue":
		return bench.ServeCatalogue(*listen)
	default:
		return bench.ServeUpstream(*listen)
	}
}

func measure(ctx context.Context, flags *flag.FlagSet, args []string) error {
	postgres := flags.String("postgres", "", "the `URL` of an empty database, for one more variant whose trail goes there")
	o, err := options(flags, args, "upstream", "proxy")
	if err != nil {
		return err
	}
	o.Postgres = *postgres
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	return report.Write(os.Stdout)
}

func cache(ctx context.Context, flags *flag.FlagSet, args []string) error {
	redis := flags.String("redis", "redis-server", "the `file` of a Redis server for one more variant; empty does without")
	only := flags.String("only", "", "measure only the variants whose names contain this `text`")
	o, err := options(flags, args, "catalogue", "")
	if err != nil {
		return err
	}
	o.Only = *only
	if *redis != "" {
		o.Redis = []string{*redis}
	}
	report, err := bench.RunCache(ctx, o)
	if err != nil {
		return err
	}
	return report.Write(os.Stdout)
}

// options reads the flags that the measurements of requests share. upstream and proxy are the commands of this binary that
// serve them.
func options(flags *flag.FlagSet, args []string, upstream, proxy string) (bench.Options, error) {
	binary := flags.String("binary", "bin/sark", "the gateway's `file`")
	connections := flags.String("connections", "32,256", "the loads, in open connections")
	rounds := flags.Int("rounds", 5, "how often every figure is measured")
	duration := flags.Duration("duration", 3*time.Second, "how long one measurement takes")
	quick := flags.Bool("quick", false, "one short round: shows that it works, measures nothing")
	verbose := flags.Bool("v", false, "show what the processes print")
	if err := flags.Parse(args); err != nil {
		return bench.Options{}, err
	}
	loads, err := parseLoads(*connections)
	if err != nil {
		return bench.Options{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return bench.Options{}, fmt.Errorf("find the own executable: %w", err)
	}
	o := bench.Options{
		Binary: *binary, Upstream: []string{self, upstream}, Connections: loads, Rounds: *rounds, Duration: *duration,
		Log: logTo(*verbose),
	}
	if proxy != "" {
		o.Proxy = []string{self, proxy}
	}
	if *quick {
		o.Rounds, o.Duration, o.Starts = 1, 300*time.Millisecond, 1
	}
	return o, nil
}

func logTo(verbose bool) io.Writer {
	if verbose {
		return os.Stderr
	}
	return nil
}

func parseLoads(list string) ([]int, error) {
	var loads []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("connections %q: %w", list, err)
		}
		loads = append(loads, n)
	}
	return loads, nil
}
