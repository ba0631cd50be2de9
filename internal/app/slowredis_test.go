package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/testkit"
)

// edition is an upstream whose resources have a text that changes: its answers may be shared for a minute.
type edition struct {
	*testkit.MCPUpstream
	number atomic.Int64
}

func newEdition(t *testing.T) *edition {
	e := &edition{MCPUpstream: testkit.NewMCPUpstream(t, testkit.MCPOptions{})}
	e.number.Store(1)
	e.On("resources/read", func(x *testkit.Exchange, m testkit.Message) {
		x.JSON(200, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","ttlMs":60000,"cacheScope":"public","contents":[{"uri":"a:1","text":"edition %d"}]}}`,
			m.ID, e.number.Load()))
	})
	return e
}

// lookupPatience is cache.lookup_timeout of the gateways before an edition.
const lookupPatience = time.Second

// gateway starts a gateway that keeps the answers in Redis.
func (e *edition) gateway(t *testing.T, redisURL string) *gateway {
	return start(t, configure(t, dataDir(t), e.URL()+"/mcp", replicaKeys(), `limits: {shared: false}`,
		`redis: {url: "`+redisURL+`", socket_timeout: 400ms, retry_on_timeout: false}`,
		fmt.Sprintf("cache: {lookup_timeout: %s}", lookupPatience)))
}

// reading is what a gateway answers when a resource is read.
type reading struct {
	Status  int
	Cache   string
	Edition int64
}

// tryRead reads a resource as ana.
func (g *gateway) tryRead(ctx context.Context, uri string) (reading, error) {
	const body = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"%s","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := over(g.Proxy, "sark_ana_"+replicaSecret).try(ctx, http.MethodPost, "/mcp", fmt.Sprintf(body, uri),
		"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: resources/read", "Mcp-Name: "+uri)
	if err != nil {
		return reading{}, err
	}
	got := reading{Status: r.Status, Cache: r.Header.Get("X-Cache")}
	if _, text, ok := strings.Cut(r.Body, "edition "); ok {
		_, _ = fmt.Sscan(text, &got.Edition) // zero where there is none
	}
	return got, nil
}

// read is tryRead for requests that must be answered.
func (g *gateway) read(t *testing.T, uri string) reading {
	t.Helper()
	got, err := g.tryRead(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// redisHealth is what /health/pools says of the shared cache.
func (g *gateway) redisHealth(t *testing.T) (healthy bool, trouble string) {
	t.Helper()
	var pools map[string]struct {
		Healthy bool
		Error   string
	}
	over(g.API, "sark_ana_"+replicaSecret).get(t, "/health/pools").decode(t, &pools)
	return pools["redis"].Healthy, pools["redis"].Error
}

// TestSlowRedis has a Redis that keeps its connections and does not answer, or takes too long, or breaks them. Trouble costs
// the requests of a gateway one round trip, once; all are served; the health says so; a purge says what it could not reach,
// and what it was about is served by nobody once it is through.
func TestSlowRedis(t *testing.T) {
	for _, trouble := range []struct {
		name       string
		begin, end func(*testkit.RedisServer, *testkit.RedisRelay)
	}{
		{
			"silent", func(_ *testkit.RedisServer, r *testkit.RedisRelay) { r.Stall() },
			func(_ *testkit.RedisServer, r *testkit.RedisRelay) { r.Resume() },
		},
		{
			"slow", func(_ *testkit.RedisServer, r *testkit.RedisRelay) { r.Delay(lookupPatience) },
			func(_ *testkit.RedisServer, r *testkit.RedisRelay) { r.Delay(0) },
		},
		{
			"gone", func(s *testkit.RedisServer, r *testkit.RedisRelay) { s.Kill(); r.Cut() },
			func(s *testkit.RedisServer, _ *testkit.RedisRelay) { s.Start() },
		},
	} {
		t.Run(trouble.name, func(t *testing.T) {
			upstream, server := newEdition(t), testkit.StartRedis(t)
			relay := testkit.StartRedisRelay(t, server)
			near, far := upstream.gateway(t, relay.URL()), upstream.gateway(t, server.URL())
			testkit.Eventually(t, "both know the first edition", func() bool {
				return near.read(t, "a:1") == reading{200, "HIT", 1} && far.read(t, "a:1") == reading{200, "HIT", 1}
			})

			trouble.begin(server, relay)
			asked := relay.Asked("GETRANGE", "SET")
			for i := range 20 {
				if got := near.read(t, fmt.Sprintf("b:%d", i)); got != (reading{200, "MISS", 1}) {
					t.Errorf("request %d: %+v, want a miss that is served", i, got)
				}
			}
			if n := relay.Asked("GETRANGE", "SET") - asked; n > 1 {
				t.Errorf("20 requests asked Redis %d times, want once: then the breaker is open", n)
			}
			if healthy, cause := near.redisHealth(t); healthy || cause == "" {
				t.Errorf("healthy %v, %q, want the cause", healthy, cause)
			}
			upstream.number.Store(2)
			if status, text := purge(t, near, `{"scope":"all"}`); status != http.StatusServiceUnavailable || !strings.Contains(text, "L2, the shared cache") {
				t.Errorf("purge: %d %s, want 503 and the layer", status, text)
			}
			if got := near.read(t, "a:1"); got != (reading{200, "MISS", 2}) {
				t.Errorf("while the purge is owed: %+v", got)
			}

			trouble.end(server, relay)
			testkit.Eventually(t, "the cache is healthy again", func() bool { healthy, _ := near.redisHealth(t); return healthy })
			for _, g := range []*gateway{far, near} {
				testkit.Eventually(t, "the purge is through", func() bool { return g.read(t, "a:1") == reading{200, "HIT", 2} })
			}
			if got := near.read(t, "a:1"); got.Edition != 2 {
				t.Errorf("after the purge: %+v", got)
			}
		})
	}
}

// TestRedisRestartsUnderLoad kills Redis, which saves what it has now and then, while two gateways are read from and purged.
// No request fails, and the gateway that a purge went through at never answers with what was purged.
func TestRedisRestartsUnderLoad(t *testing.T) {
	upstream, server := newEdition(t), testkit.StartRedis(t)
	gateways := [2]*gateway{}
	for i := range gateways {
		gateways[i] = upstream.gateway(t, server.URL())
	}
	var floor, reads, failed, stale atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i, g := range gateways {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				atLeast := floor.Load()
				got, err := g.tryRead(context.Background(), "a:1")
				if err != nil || got.Status != 200 {
					failed.Add(1)
				}
				if err == nil && i == 0 && got.Edition < atLeast {
					stale.Add(1)
				}
				reads.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	purges := func(what string, n int) {
		for done := 0; done < n; {
			next := upstream.number.Add(1)
			if status, _ := purge(t, gateways[0], `{"scope":"servers"}`); status == http.StatusOK {
				floor.Store(next)
				done++
			}
		}
		target := reads.Load() + 50
		testkit.Eventually(t, what, func() bool { return reads.Load() > target })
	}
	for range 2 {
		purges("reads with the server", 3)
		server.Do("SAVE")
		purges("reads of what the snapshot has not", 3)
		server.Kill()
		target := reads.Load() + 50
		testkit.Eventually(t, "reads without the server", func() bool { return reads.Load() > target })
		server.Start()
		purges("reads with the server back", 3)
	}
	for _, g := range gateways {
		testkit.Eventually(t, "the last edition is kept", func() bool {
			got := g.read(t, "a:1")
			return got.Cache == "HIT" && got.Edition == upstream.number.Load()
		})
	}
	if failed.Load() > 0 || stale.Load() > 0 {
		t.Errorf("of %d reads %d failed and %d were stale", reads.Load(), failed.Load(), stale.Load())
	}
}
