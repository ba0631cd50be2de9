package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// StreamOptions says how many idle streams are opened. Binary and Upstream are required.
type StreamOptions struct {
	// Binary is the path of sark.
	Binary string
	// Upstream is the command that calls ServeMoods. It takes the flag -listen with an address.
	Upstream []string
	// Streams is how many are opened; at most what the limit of open files allows, of which each stream takes two in the
	// gateway. Default: 10000.
	Streams int
	// Idle is how long they are left alone before the gateway is looked at. Default: 30 s, so that heartbeats count.
	Idle time.Duration
	// Log receives what the processes print; nil discards it.
	Log io.Writer
}

// StreamReport is what idle streams take.
type StreamReport struct {
	// Streams is how many there were.
	Streams int
	// Before, During and After are the gateway without them, with them, and when they have left.
	Before, During, After Sample
	// Opened is how long it took to open them, and Left how long until the gateway had forgotten them.
	Opened, Left time.Duration
}

// spare is how many files a process may have open beside those of its streams.
const spare = 200

// MeasureStreams opens event streams through a gateway, leaves them idle, closes them, and reports the memory and
// goroutines of the gateway meanwhile. It fails when goroutines stay behind.
func MeasureStreams(ctx context.Context, o StreamOptions) (report StreamReport, err error) {
	if o.Binary == "" || len(o.Upstream) == 0 || o.Streams < 0 || o.Idle < 0 {
		return StreamReport{}, errors.New("streams: Binary and Upstream are required, Streams and Idle must not be negative")
	}
	if o.Streams == 0 {
		o.Streams = 10000
	}
	if o.Idle == 0 {
		o.Idle = 30 * time.Second
	}
	most, err := raiseFileLimit()
	if err != nil {
		return StreamReport{}, err
	}
	report.Streams = min(o.Streams, (most-spare)/2)
	t, err := newTestBed(ctx, Options{Binary: o.Binary, Upstream: o.Upstream, Log: o.Log}, map[string]any{
		"max_streams": o.Streams, "max_concurrent": 2 * o.Streams,
	})
	if err != nil {
		return StreamReport{}, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if err := t.measureStreams(ctx, &report, o.Idle); err != nil {
		return StreamReport{}, fmt.Errorf("streams: %w", err)
	}
	return report, nil
}

// raiseFileLimit lets this process and its children open as many files as the system allows, and returns how many.
func raiseFileLimit() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("raise the limit of open files: %w", err)
	}
	return int(min(l.Max, 1<<30)), nil // #nosec G115 -- bounded here
}

func (t *testBed) measureStreams(ctx context.Context, r *StreamReport, idle time.Duration) (err error) {
	if err = wait(ctx, settle); err != nil {
		return err
	}
	if r.Before, err = look(ctx, t.gateway, 0); err != nil {
		return err
	}
	begin := time.Now()
	conns, err := t.open(ctx, r.Streams)
	defer func() { closeAll(conns) }()
	if err != nil {
		return err
	}
	r.Opened = time.Since(begin)
	if err = wait(ctx, idle); err != nil {
		return err
	}
	if r.During, err = look(ctx, t.gateway, time.Since(begin)); err != nil {
		return err
	}
	closeAll(conns)
	left := time.Now()
	for r.After.Goroutines == 0 || r.After.Goroutines > r.Before.Goroutines+20 {
		if time.Since(left) > time.Minute {
			return fmt.Errorf("%d goroutines are left of %d, %d before", r.After.Goroutines, r.During.Goroutines, r.Before.Goroutines)
		}
		if err = wait(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		if r.After, err = look(ctx, t.gateway, time.Since(begin)); err != nil {
			return err
		}
	}
	r.Left = time.Since(left)
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open opens n streams, some at a time, and returns when the first event of each has come.
func (t *testBed) open(ctx context.Context, n int) ([]net.Conn, error) {
	conns := make([]net.Conn, n)
	request := fmt.Appendf(nil, "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n\r\n", t.token)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for i := range conns {
		group.Go(func() error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", t.gateway.Proxy)
			if err != nil {
				return err
			}
			conns[i] = c
			return begin(c, request)
		})
	}
	return conns, group.Wait()
}

// begin sends a request for a stream and reads its head and first event.
func begin(c net.Conn, request []byte) error {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := c.Write(request); err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	r := bufio.NewReaderSize(c, 4<<10)
	var head fasthttp.ResponseHeader
	if err := head.Read(r); err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	if head.StatusCode() != fasthttp.StatusOK {
		return fmt.Errorf("open a stream: status %d", head.StatusCode())
	}
	if _, err := r.ReadBytes('\n'); err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	return nil
}

func closeAll(conns []net.Conn) {
	for i, c := range conns {
		if c != nil {
			_ = c.Close()
			conns[i] = nil
		}
	}
}

// Write prints the report.
func (r StreamReport) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `streams           %d, opened in %v
before            %d KiB, %d goroutines
idle              %d KiB, %d goroutines
per stream        %.1f KiB, %.2f goroutines
after they left   %d KiB, %d goroutines, within %v
`, r.Streams, r.Opened.Round(time.Millisecond), r.Before.RSS>>10, r.Before.Goroutines, r.During.RSS>>10, r.During.Goroutines,
		r.PerStream()/1024, float64(r.During.Goroutines-r.Before.Goroutines)/float64(r.Streams),
		r.After.RSS>>10, r.After.Goroutines, r.Left.Round(time.Millisecond))
	return err
}

// PerStream returns the resident memory of the gateway for one stream in bytes.
func (r StreamReport) PerStream() float64 {
	return float64(r.During.RSS-r.Before.RSS) / float64(r.Streams)
}
