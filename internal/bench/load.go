package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// Latencies are kept in microseconds up to a minute, to three digits.
const (
	maxLatency = int64(time.Minute / time.Microsecond)
	digits     = 3
)

// load is a closed loop: each connection sends its next request when the reply to the last one is read.
type load struct {
	addr        string // The listener under load, "host:port".
	request     []byte // One whole HTTP request.
	connections int
	duration    time.Duration
	// requests ends each worker after so many of them instead; 0 is none.
	requests int
	// numbers returns what a worker writes over each placeholder of its requests; nil sends the same request each time.
	numbers func(worker int) func() uint64
	// cached is what X-Cache has to say in every reply; "" takes any.
	cached string
}

// placeholder stands in a request for a number of as many digits.
const placeholder = "########"

// sample is what one load saw.
type sample struct {
	requests  int64
	hits      int64 // Replies whose X-Cache says HIT.
	elapsed   time.Duration
	latencies *hdrhistogram.Histogram // In microseconds.
}

// run opens the connections, loads them for the duration and returns what it saw. Any reply but 200 is an error: a
// refused call is cheap, and its figures would flatter.
func (l load) run(ctx context.Context) (sample, error) {
	workers := make([]*worker, l.connections)
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		w := newWorker(l, i)
		workers[i] = w
		group.Go(func() error { return w.run(ctx, begin.Add(l.duration)) })
	}
	if err := group.Wait(); err != nil {
		return sample{}, fmt.Errorf("load %s with %d connections: %w", l.addr, l.connections, err)
	}
	total := sample{elapsed: time.Since(begin), latencies: hdrhistogram.New(1, maxLatency, digits)}
	for _, w := range workers {
		total.latencies.Merge(w.latencies)
		total.hits += w.hits
	}
	total.requests = total.latencies.TotalCount()
	return total, nil
}

// worker is one connection of a load, and owned by one goroutine until run returns.
type worker struct {
	load
	latencies *hdrhistogram.Histogram
	hits      int64
	next      func() uint64 // Nil sends the same request each time.
	places    []int         // Where the placeholders of the request are.
}

func newWorker(l load, i int) *worker {
	w := &worker{load: l, latencies: hdrhistogram.New(1, maxLatency, digits)}
	if l.numbers == nil {
		return w
	}
	w.next, w.request = l.numbers(i), bytes.Clone(l.request)
	for at, rest := 0, w.request; ; at, rest = at+len(placeholder), rest[len(placeholder):] {
		n := bytes.Index(rest, []byte(placeholder))
		if n < 0 {
			return w
		}
		at, rest = at+n, rest[n:]
		w.places = append(w.places, at)
	}
}

// number writes the next number over the placeholders of the request.
func (w *worker) number() {
	n := w.next()
	for i := len(placeholder) - 1; i >= 0; i-- {
		for _, at := range w.places {
			w.request[at+i] = '0' + byte(n%10)
		}
		n /= 10
	}
}

func (w *worker) run(ctx context.Context, end time.Time) (err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer func() {
		stop()
		err = errors.Join(err, conn.Close())
	}()
	reader := bufio.NewReader(conn)
	var resp fasthttp.Response
	for n, now := 0, time.Now(); w.requests == 0 && now.Before(end) || n < w.requests; n++ {
		if err := w.exchange(conn, reader, &resp); err != nil {
			return err
		}
		done := time.Now()
		if err := w.latencies.RecordValue(done.Sub(now).Microseconds()); err != nil {
			return fmt.Errorf("record a latency: %w", err)
		}
		now = done
	}
	return nil
}

func (w *worker) exchange(conn net.Conn, reader *bufio.Reader, resp *fasthttp.Response) error {
	if w.next != nil {
		w.number()
	}
	if _, err := conn.Write(w.request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := resp.Read(reader); err != nil {
		return fmt.Errorf("read the reply: %w", err)
	}
	if resp.StatusCode() != fasthttp.StatusOK || !bytes.Contains(resp.Body(), []byte(`"result"`)) {
		return fmt.Errorf("reply %d: %.300s", resp.StatusCode(), resp.Body())
	}
	cached := string(resp.Header.Peek("X-Cache"))
	if cached == "HIT" {
		w.hits++
	}
	if w.cached != "" && cached != w.cached {
		return fmt.Errorf("the reply is a %q of the cache, want %q", cached, w.cached)
	}
	return nil
}
