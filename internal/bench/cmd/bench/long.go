package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sark/internal/bench"
)

// errWrong says that a soak saw replies that it should not have seen.
var errWrong = errors.New("the gateway answered wrongly")

func streams(ctx context.Context, flags *flag.FlagSet, args []string) error {
	binary := flags.String("binary", "bin/sark", "the gateway's `file`")
	n := flags.Int("streams", 10000, "how many streams are opened")
	idle := flags.Duration("idle", 30*time.Second, "how long they are left alone before the gateway is looked at")
	verbose := flags.Bool("v", false, "show what the processes print")
	if err := flags.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own executable: %w", err)
	}
	report, err := bench.MeasureStreams(ctx, bench.StreamOptions{
		Binary: *binary, Upstream: []string{self, "moods"}, Streams: *n, Idle: *idle, Log: logTo(*verbose),
	})
	if err != nil {
		return err
	}
	if report.Streams < *n {
		fmt.Fprintf(os.Stderr, "bench: the limit of open files (ulimit -Hn) allows only %d streams\n", report.Streams)
	}
	return report.Write(os.Stdout)
}

func soak(ctx context.Context, flags *flag.FlagSet, args []string) error {
	binary := flags.String("binary", "bin/sark", "the gateway's `file`")
	duration := flags.Duration("duration", 30*time.Minute, "how long the traffic lasts")
	rate := flags.Int("rate", 200, "how many requests are sent in a second")
	verbose := flags.Bool("v", false, "show what the processes print, and a line a minute")
	if err := flags.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own executable: %w", err)
	}
	report, err := bench.Soak(ctx, bench.SoakOptions{
		Binary: *binary, Upstream: []string{self, "moods"}, Duration: *duration, Rate: *rate, Log: logTo(*verbose),
	})
	if err != nil {
		return err
	}
	if err := report.Write(os.Stdout); err != nil {
		return err
	}
	if len(report.Wrong) > 0 {
		return errWrong
	}
	return nil
}
