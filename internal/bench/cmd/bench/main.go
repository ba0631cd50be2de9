// Command bench compares SARK with a bare proxy and with no proxy at all, and prints a table. `make bench` runs it.
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
       bench streams [flags]                    measure what idle event streams take
       bench soak [flags]                       send mixed traffic for long, and watch the gateway's memory
       bench moods -listen ADDR                 be the upstream of streams and soak
       bench upstream -listen ADDR              be the upstream of a run
       bench proxy -listen ADDR -upstream ADDR  be the bare proxy of a run
`

// errUsage is a mistake in the command; main shows how it is used.
var errUsage = errors.New("want one of run, streams, soak, upstream, moods, proxy")

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
	case "streams":
		return streams(ctx, flags, args[1:])
	case "soak":
		return soak(ctx, flags, args[1:])
	case "upstream", "moods", "proxy":
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
	default:
		return bench.ServeUpstream(*listen)
	}
}

func measure(ctx context.Context, flags *flag.FlagSet, args []string) error {
	binary := flags.String("binary", "bin/sark", "the gateway's `file`")
	postgres := flags.String("postgres", "", "the `URL` of an empty database, for one more variant whose trail goes there")
	connections := flags.String("connections", "32,256", "the loads, in open connections")
	rounds := flags.Int("rounds", 5, "how often every figure is measured")
	duration := flags.Duration("duration", 3*time.Second, "how long one measurement takes")
	quick := flags.Bool("quick", false, "one short round: shows that it works, measures nothing")
	verbose := flags.Bool("v", false, "show what the processes print")
	if err := flags.Parse(args); err != nil {
		return err
	}
	loads, err := parseLoads(*connections)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own executable: %w", err)
	}
	o := bench.Options{
		Binary:      *binary,
		Upstream:    []string{self, "upstream"},
		Proxy:       []string{self, "proxy"},
		Postgres:    *postgres,
		Connections: loads,
		Rounds:      *rounds,
		Duration:    *duration,
		Log:         logTo(*verbose),
	}
	if *quick {
		o.Rounds, o.Duration, o.Starts = 1, 300*time.Millisecond, 1
	}
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	return report.Write(os.Stdout)
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
