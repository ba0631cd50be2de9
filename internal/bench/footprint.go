package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// settle is how long a gateway is left alone after it is ready, before its memory is read.
const settle = 2 * time.Second

// Footprint is what the gateway takes before the first request.
type Footprint struct {
	// Binary is the size of the file in bytes.
	Binary int64
	// Startup is the best time from exec to the first 200 of /health/ready.
	Startup time.Duration
	// IdleRSS is the least resident memory in bytes two seconds after that.
	IdleRSS int64
}

// measureFootprint starts the gateway several times, each on an empty data directory below dir, and takes the best.
func measureFootprint(ctx context.Context, o Options, p provider, dir string) (Footprint, error) {
	info, err := os.Stat(o.Binary)
	if err != nil {
		return Footprint{}, fmt.Errorf("measure the footprint: %w", err)
	}
	best := Footprint{Binary: info.Size()}
	for i := range o.Starts {
		startup, rss, err := measureStart(ctx, o, p, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return Footprint{}, fmt.Errorf("measure the footprint: %w", err)
		}
		if i == 0 {
			best.Startup, best.IdleRSS = startup, rss
		}
		best.Startup, best.IdleRSS = min(best.Startup, startup), min(best.IdleRSS, rss)
	}
	return best, nil
}

func measureStart(ctx context.Context, o Options, p provider, dir string) (startup time.Duration, rss int64, err error) {
	g, err := startGateway(ctx, o, p, nobody, dir, settings{policy: policy}) // Nobody is asked, so nobody needs to answer there.
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, g.Stop()) }()
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	rss, err = g.RSS()
	return g.Startup, rss, err
}
