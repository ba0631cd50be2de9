package proxy_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"sark/internal/testkit"
)

// BenchmarkDeparture measures how long it takes from when a client leaves until its silent server notices, in milliseconds: the
// goal is a second. Clients leave one after the other over half a second, which is how often the gateway looks after them.
func BenchmarkDeparture(b *testing.B) {
	transports := map[string]func(*setup){"plain": permissive(nil), "TLS": secure(b, testkit.NewAuthority(b), nil, nil, nil)}
	states := map[string]func(*testkit.Exchange){
		"before the reply": func(*testkit.Exchange) {},
		"between events":   func(x *testkit.Exchange) { x.Stream(); x.Event("{}") },
	}
	ways := map[string]func(*testkit.RawClient){"FIN": (*testkit.RawClient).SendFIN, "RST": (*testkit.RawClient).Reset}
	for transport, change := range transports {
		for state, begin := range states {
			for way, leave := range ways {
				b.Run(transport+"/"+state+"/"+way, func(b *testing.B) {
					g := newGateway(b, change)
					d := newDepartures(g, begin)
					for b.Loop() {
						d.round(b, g, state == "between events", leave)
					}
					d.report(b)
				})
			}
		}
	}
}

// departures are clients that leave while their server is silent.
type departures struct {
	arrived chan struct{}
	noticed chan notice
	took    []time.Duration
}

// notice is when the server noticed that a client has left.
type notice struct {
	client int
	at     time.Time
}

// departing is how many clients leave in one round.
const departing = 50

func newDepartures(g *gateway, begin func(*testkit.Exchange)) *departures {
	d := &departures{arrived: make(chan struct{}, departing), noticed: make(chan notice, departing)}
	g.Upstream.On("tools/call echo", func(x *testkit.Exchange, m testkit.Message) {
		begin(x)
		client, err := strconv.Atoi(string(m.ID))
		if err != nil {
			panic(err)
		}
		d.arrived <- struct{}{}
		<-x.ClientGone()
		d.noticed <- notice{client, time.Now()}
	})
	return d
}

// round lets clients call, wait and leave.
func (d *departures) round(b *testing.B, g *gateway, begun bool, leave func(*testkit.RawClient)) {
	b.Helper()
	var clients [departing]*testkit.RawClient
	for i := range clients {
		clients[i] = g.Dial(b)
		clients[i].Post("/mcp", legacyCall(strconv.Itoa(i), "tools/call", `"name":"echo","arguments":{}`), bearer("admin"))
		testkit.Wait(b, 0, d.arrived)
		if begun {
			clients[i].ReadHead().ReadData()
		}
	}
	var left [departing]time.Time
	next := time.NewTicker(500 * time.Millisecond / departing)
	defer next.Stop()
	for i, c := range clients {
		<-next.C
		left[i] = time.Now()
		leave(c)
	}
	for range clients {
		n := testkit.Wait(b, 0, d.noticed)
		d.took = append(d.took, n.at.Sub(left[n.client]))
	}
	for _, c := range clients {
		c.Close()
	}
}

func (d *departures) report(b *testing.B) {
	b.Helper()
	slices.Sort(d.took)
	at := func(share float64, name string) {
		took := d.took[min(int(share*float64(len(d.took))), len(d.took)-1)]
		b.ReportMetric(float64(took.Microseconds())/1000, name)
	}
	at(0.5, "p50-ms")
	at(0.99, "p99-ms")
	at(1, "max-ms")
	b.ReportMetric(0, "ns/op")
}
