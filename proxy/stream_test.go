package proxy_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/testkit"
	"sark/proxy"
)

func TestStreamEventsArriveOneByOne(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(nil))
		events := make(chan string)
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) { x.Stream(); x.Relay(events) })
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		for i := range 20 { // the upstream has the next event only when the client has this one
			event := notification(i * i)
			events <- event
			diff(t, "event", event, r.ReadData())
		}
		close(events)
		if e, ok := r.ReadEvent(); ok || r.Err != nil {
			t.Errorf("the end of the stream: event %+v, error %v", e, r.Err)
		}
		diff(t, "trail", o.endings(audit.OutcomeAllowed, 200), endings(g.AwaitEvents(t, len(o.endings("", 0)))))
	})
}

func TestStreamHeadersDoNotWaitForTheFirstEvent(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(nil))
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
			x.Stream("X-Accel-Buffering: no", "Mcp-Session-Id: s-1")
			x.Hold(context.Background())
		})
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		got := []string{r.Header.Value("Content-Type"), r.Header.Value("X-Accel-Buffering"), r.Header.Value("Mcp-Session-Id"), r.Header.Value("Cache-Control")}
		diff(t, "headers", []string{"text/event-stream", "no", "s-1", "no-cache"}, got)
	})
}

// TestStreamBytesAreKept sends every file of testdata/streams through the gateway, whole and byte by byte.
func TestStreamBytesAreKept(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/streams/*.sse")
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams: %v", err)
	}
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(nil))
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, piece := range []int{1, 7, len(content)} {
				g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
					x.Stream()
					for from := 0; from < len(content); from += piece {
						x.Write(content[from:min(from+piece, len(content))])
					}
				})
				c := g.Dial(t)
				o.open(c)
				r := c.ReadReply()
				diff(t, file, string(content), r.Body)
				diff(t, file+": error", error(nil), r.Err)
			}
		}
	})
}

func TestStreamLargeEvent(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(nil))
		large, after := notification(5<<20), notification(1)
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) { x.Stream(); x.Event(large); x.Event(after) })
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		if r.ReadData() != large || r.ReadData() != after {
			t.Error("the events were changed")
		}
	})
}

func TestStreamCutWithinAnEvent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cut  func(x *testkit.Exchange)
	}{
		{"closed", (*testkit.Exchange).Cut},
		{"reset", (*testkit.Exchange).Reset},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			forEachOpening(t, func(t *testing.T, o opening) {
				g := newGateway(t, permissive(nil))
				proceed := make(chan struct{})
				g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
					x.Stream()
					x.Event("{}")
					<-proceed
					x.Write([]byte("data: {"))
					test.cut(x)
				})
				c := g.Dial(t)
				o.open(c)
				r := c.ReadHead()
				r.ReadData()
				close(proceed)
				if e, ok := r.ReadEvent(); ok {
					t.Errorf("half an event counts as one: %+v", e)
				}
				diff(t, "error", io.ErrUnexpectedEOF.Error(), errText(r.Err))
				diff(t, "trail", o.endings(audit.OutcomeUpstreamFailed, 200), endings(g.AwaitEvents(t, len(o.endings("", 0)))))
			})
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestStreamDepartedClientIsNoticed lets clients leave while the upstream is silent, in every state that it can be
// silent in.
func TestStreamDepartedClientIsNoticed(t *testing.T) {
	t.Parallel()
	states := []struct {
		name   string
		script func(x *testkit.Exchange)
		head   bool // the client sees a head before it leaves
		each   func(*testing.T, func(*testing.T, opening))
	}{
		{"before the reply", func(*testkit.Exchange) {}, false, forEachOpening},
		{"before the first event", func(x *testkit.Exchange) { x.Stream() }, true, forEachOpening},
		{"within an event", func(x *testkit.Exchange) { x.Stream(); x.Event("{}"); x.Write([]byte("data: half")) }, true, forEachOpening},
		{"within chunked JSON", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
			x.Write([]byte(`{"jsonrpc":`))
		}, true, forEachPost},
		{"within a long reply", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Type: application/json", "Content-Length: 1000000")
			x.Write([]byte(`{"jsonrpc":`))
		}, true, forEachPost},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			state.each(t, func(t *testing.T, o opening) {
				g := newGateway(t, permissive(nil))
				arrived, gone := make(chan struct{}), make(chan time.Time, 1)
				g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
					state.script(x)
					close(arrived)
					<-x.ClientGone()
					gone <- time.Now()
				})
				c := g.Dial(t)
				o.open(c)
				<-arrived
				if state.head {
					c.ReadHead()
				}
				left := time.Now()
				c.Close()
				if took := testkit.Wait(t, 0, gone).Sub(left); took > 3*time.Second {
					t.Errorf("the departure was noticed after %s", took)
				}
				want := o.endings(audit.OutcomeClientGone, 499)
				if !state.head {
					want = want[len(want)-1:]
					want[0].Phase = audit.PhaseSingle
				}
				diff(t, "trail", want, endings(g.AwaitEvents(t, len(want))))
				g.Upstream.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == 0 })
			})
		})
	}
}

// TestStreamCommentsStandBetweenEvents keeps an upstream silent within an event: the comment must come before it.
func TestStreamCommentsStandBetweenEvents(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(func(s *setup) { s.Heartbeat = time.Millisecond }))
		proceed := make(chan struct{})
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
			x.Stream()
			x.Write([]byte("id: 1\ndata: {}"))
			<-proceed
			x.Write([]byte("\n\n"))
		})
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		first, _ := r.ReadPiece()
		diff(t, "comment", ":\n\n", first)
		close(proceed)
		rest := strings.ReplaceAll(r.ReadBody(), ":\n\n", "") // more comments may have come
		diff(t, "event", "id: 1\ndata: {}\n\n", rest)
		diff(t, "error", error(nil), r.Err)
		diff(t, "trail", o.endings(audit.OutcomeAllowed, 200), endings(g.AwaitEvents(t, len(o.endings("", 0)))))
	})
}

func TestStreamShutdownEndsListeners(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		if !o.long {
			return
		}
		g := newGateway(t, permissive(nil))
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
			x.Stream()
			x.Event("{}")
			x.Write([]byte("data: half"))
			x.Hold(context.Background())
		})
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		r.ReadData()
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		diff(t, "rest", "", r.ReadBody())
		diff(t, "error", error(nil), r.Err)
		diff(t, "trail", o.endings(audit.OutcomeAllowed, 200), endings(g.Events()))
	})
}

func TestStreamShutdownWaitsForCalls(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(nil))
	proceed := make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		x.Event(notification(1))
		<-proceed
		x.Event("{}")
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadHead()
	r.ReadData()
	done := make(chan error, 1)
	go func() { done <- g.Shutdown(context.Background()) }()
	awaitRefusal(t, g.Addr)
	close(proceed)
	diff(t, "result", "{}", r.ReadData())
	diff(t, "shutdown", error(nil), testkit.Wait(t, 0, done))
}

// TestStreamShutdownCutsCallsInTheEnd ends the patience of a shutdown while calls wait for their upstream.
func TestStreamShutdownCutsCallsInTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script func(x *testkit.Exchange)
		want   ending
	}{
		{"before the reply", func(*testkit.Exchange) {}, ending{audit.PhaseSingle, audit.OutcomeError, 503}},
		{"within a stream", func(x *testkit.Exchange) { x.Stream() }, ending{audit.PhaseSingle, audit.OutcomeError, 200}},
		{"within chunked JSON", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
		}, ending{audit.PhaseSingle, audit.OutcomeError, 200}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(nil))
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
				test.script(x)
				x.Hold(context.Background())
			})
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer("admin"))
			g.Upstream.AwaitRequests(t, 1)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			diff(t, "shutdown", context.Canceled.Error(), errText(g.Shutdown(ctx)))
			diff(t, "trail", []ending{test.want}, endings(g.Events()))
		})
	}
}

// awaitRefusal waits until nobody listens at addr.
func awaitRefusal(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); {
		c, err := net.DialTimeout("tcp", addr, testkit.Patience)
		if err != nil {
			return
		}
		_ = c.Close()
	}
	t.Fatalf("%s is still listened at", addr)
}

func TestStreamOpenForLongLeavesTwoEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script func(x *testkit.Exchange)
	}{
		{"stream", func(x *testkit.Exchange) { x.Stream(); x.Event("{}") }},
		{"chunked JSON", func(x *testkit.Exchange) {
			x.WriteHead(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) { s.OpenAfter = time.Millisecond }))
			proceed := make(chan struct{})
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) { test.script(x); <-proceed })
			c := g.Dial(t)
			c.Post("/mcp", toolCall, bearer("admin"))
			diff(t, "trail while open", []ending{{Phase: audit.PhaseOpen}}, endings(g.AwaitEvents(t, 1)))
			close(proceed)
			c.ReadReply()
			want := []ending{{Phase: audit.PhaseOpen}, {audit.PhaseClose, audit.OutcomeAllowed, 200}}
			diff(t, "trail", want, endings(g.AwaitEvents(t, 2)))
		})
	}
}

func TestCallThatWaitsForLongLeavesTwoEvents(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.OpenAfter = time.Millisecond }))
	proceed := make(chan struct{})
	g.Upstream.On("tools/call", func(x *testkit.Exchange, m testkit.Message) { <-proceed; x.JSON(200, m.Answer("{}")) })
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	g.AwaitEvents(t, 1)
	close(proceed)
	diff(t, "reply", `{"jsonrpc":"2.0","id":1,"result":{}}`, c.ReadReply().Body)
	want := []ending{{Phase: audit.PhaseOpen}, {audit.PhaseClose, audit.OutcomeAllowed, 200}}
	diff(t, "trail", want, endings(g.AwaitEvents(t, 2)))
}

// TestStreamSlowReader lets a client stop reading: others are served meanwhile, and it is given up in the end.
func TestStreamSlowReader(t *testing.T) {
	t.Parallel()
	piece := notification(64 << 10)
	tests := []struct {
		name string
		head func(x *testkit.Exchange)
	}{
		{"events", func(x *testkit.Exchange) { x.Stream() }},
		{"chunks", func(x *testkit.Exchange) { x.WriteHead(200, "Transfer-Encoding: chunked") }},
		{"long reply", func(x *testkit.Exchange) { x.WriteHead(200, "Content-Length: 10000000000") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) { s.WriteTimeout = time.Second }))
			gone := make(chan int, 1)
			g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
				test.head(x)
				written := 0
				for x.Err() == nil {
					x.Write([]byte("data: " + piece + "\n\n"))
					written += len(piece)
				}
				gone <- written
			})
			slow := g.Dial(t)
			slow.Post("/mcp", toolCall, bearer("admin"))
			slow.ReadHead()
			other := g.Dial(t)
			other.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin"))
			diff(t, "status of another", 200, other.ReadReply().Status)
			// What the server could get rid of lies in the buffers of four sockets. A gateway that queues would take gigabytes.
			if written := testkit.Wait(t, 0, gone); written > 64<<20 {
				t.Errorf("%d bytes were taken from the server while the client read none", written)
			}
			for _, e := range g.AwaitEvents(t, 2) {
				if e.Method == "tools/call" {
					diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeClientGone, 499}}, endings([]audit.Event{e}))
				}
			}
		})
	}
}

// TestStreamPanicStaysInsideItsStream has the policy panic while a frame is filtered.
func TestStreamPanicStaysInsideItsStream(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(s *setup) {
		s.Decider = deciderFunc(func(in *authz.Input) authz.Decision {
			if in.Phase == authz.PhaseList {
				panic("the policy fell over")
			}
			return authz.Decision{Allow: true}
		})
		s.MCP.SSE = true
	})
	c := g.Dial(t)
	c.Post("/mcp", legacyCall("1", "tools/list", ""), bearer("admin"))
	r := c.ReadReply()
	diff(t, "body", "", r.Body)
	diff(t, "error", io.ErrUnexpectedEOF.Error(), errText(r.Err))
	diff(t, "trail", []ending{{audit.PhaseSingle, audit.OutcomeError, 200}}, endings(g.AwaitEvents(t, 1)))
	c = g.Dial(t)
	c.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin"))
	diff(t, "status of the next", 200, c.ReadReply().Status)
}

func TestStreamOfJSONIsNotBuffered(t *testing.T) {
	t.Parallel()
	forEachPost(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(nil))
		pieces := make(chan string)
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
			x.WriteHead(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
			for p := range pieces {
				x.Write([]byte(p))
			}
		})
		c := g.Dial(t)
		o.open(c)
		r := c.ReadHead()
		for _, p := range []string{`{"jsonrpc":"2.0","method":"notifications/a"}`, "\n", `{"jsonrpc":"2.0","id":1,"result":{}}`} {
			pieces <- p
			got, _ := r.ReadPiece()
			diff(t, "piece", p, got)
		}
		close(pieces)
		diff(t, "rest", "", r.ReadBody())
		diff(t, "trail", o.endings(audit.OutcomeAllowed, 200), endings(g.AwaitEvents(t, len(o.endings("", 0)))))
	})
}

func TestStreamIdleTimeout(t *testing.T) {
	t.Parallel()
	forEachOpening(t, func(t *testing.T, o opening) {
		g := newGateway(t, permissive(func(s *setup) {
			s.Server = func(o *proxy.ServerOptions) { o.Upstream.StreamIdleTimeout = 100 * time.Millisecond }
		}))
		g.Upstream.On(o.key, func(x *testkit.Exchange, _ testkit.Message) {
			x.Stream()
			x.Event("{}")
			x.Hold(context.Background())
		})
		c := g.Dial(t)
		o.open(c)
		r := c.ReadReply()
		diff(t, "body", "event: message\ndata: {}\n\n", r.Body)
		diff(t, "error", io.ErrUnexpectedEOF.Error(), errText(r.Err))
		diff(t, "trail", o.endings(audit.OutcomeUpstreamFailed, 200), endings(g.AwaitEvents(t, len(o.endings("", 0)))))
	})
}

// TestStreamOutlivesItsTimeouts runs a stream for longer than every timeout that bounds one read or write.
func TestStreamOutlivesItsTimeouts(t *testing.T) {
	t.Parallel()
	const limit = 400 * time.Millisecond
	g := newGateway(t, permissive(func(s *setup) {
		s.WriteTimeout, s.Listener.WriteTimeout, s.Listener.ReadTimeout = limit, limit, limit
		s.Server = func(o *proxy.ServerOptions) {
			o.Upstream.StreamIdleTimeout, o.Upstream.FirstByteTimeout = limit, limit
		}
	}))
	g.Upstream.On("tools/call", func(x *testkit.Exchange, _ testkit.Message) {
		x.Stream()
		tick := time.NewTicker(limit / 4)
		defer tick.Stop()
		for range 12 {
			<-tick.C
			x.Event("{}")
		}
	})
	c := g.Dial(t)
	c.Post("/mcp", toolCall, bearer("admin"))
	r := c.ReadReply()
	diff(t, "events", 12, len(testkit.ParseEvents(r.Body)))
	diff(t, "error", error(nil), r.Err)
	c.Post("/mcp", legacyCall("2", "ping", ""), bearer("admin")) // the deadlines of the stream are forgotten
	diff(t, "status of the next", 200, c.ReadReply().Status)
}
