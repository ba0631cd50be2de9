package crash_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is what the world outside of the gateway knows of calls, by the gateway's decision id.
type ledger struct {
	mu      sync.Mutex
	reached map[string]int  // how often a call reached the MCP server
	acked   map[string]bool // whose reply with status 200 arrived whole
	calls   int64           // all that reached the server so far
	acks    int64
	replies int64
	grown   chan struct{} // closed and replaced with each reply
	conns   int
	quiet   sync.Cond // told when conns changes
}

func newLedger() *ledger {
	l := &ledger{reached: map[string]int{}, acked: map[string]bool{}, grown: make(chan struct{})}
	l.quiet.L = &l.mu
	return l
}

// ServeHTTP is the MCP server: it notes the call before it answers.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.reached[r.Header.Get("X-Sark-Decision-Id")]++
	l.calls++
	l.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body) // a gateway that died says nothing more
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`)
}

func (l *ledger) reply(id string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status == http.StatusOK {
		l.acked[id] = true
		l.acks++
	}
	l.replies++
	close(l.grown)
	l.grown = make(chan struct{})
}

// await returns after n more replies, or when time is over.
func (l *ledger) await(n int64, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	l.mu.Lock()
	target := l.replies + n
	l.mu.Unlock()
	for {
		l.mu.Lock()
		done, grown := l.replies >= target, l.grown
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-grown:
		case <-timer.C:
			return
		}
	}
}

// serve starts the MCP server.
func (l *ledger) serve(t *testing.T) (url string) {
	t.Helper()
	s := httptest.NewUnstartedServer(l)
	s.Config.ConnState = l.count
	s.Start()
	t.Cleanup(s.Close)
	return s.URL + "/mcp"
}

// count keeps the number of open connections.
func (l *ledger) count(_ net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew:
		l.conns++
	case http.StateClosed, http.StateHijacked:
		l.conns--
	case http.StateActive, http.StateIdle:
		return
	}
	l.quiet.Broadcast()
}

// settle returns when everything that a gateway which is gone has sent was noted.
func (l *ledger) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.conns > 0 {
		l.quiet.Wait()
	}
}

// load calls a gateway from many connections, until it is stopped or the gateway is gone.
type load struct {
	stop    context.CancelFunc
	callers sync.WaitGroup
	client  *http.Client
}

const callers = 12

func (l *ledger) load(proxy string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	d := &load{stop: cancel, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}}
	for range callers {
		d.callers.Go(func() {
			for l.call(ctx, d.client, "http://"+proxy+"/mcp") == nil {
			}
		})
	}
	return d
}

func (l *ledger) call(ctx context.Context, c *http.Client, url string) error {
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"note","arguments":{"text":"x"}}}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // only read from
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	l.reply(res.Header.Get("X-Sark-Decision-Id"), res.StatusCode)
	return nil
}

// end stops the load and waits for it.
func (d *load) end() {
	d.stop()
	d.callers.Wait()
	d.client.CloseIdleConnections()
}
