package proxy

import "time"

// The phases of Handler.phase.
const (
	serving    int32 = iota
	leaving          // replies tell their clients to connect anew
	draining         // streams that would never end by themselves end
	abandoning       // whatever still waits for an upstream ends
)

// Leave goes on serving, and ends each connection with the reply to its next request, so that its client opens another,
// where a load balancer that knows better sends it: a connection that waits for a request when the listener closes may
// have one on its way, which would be lost.
func (h *Handler) Leave() { h.enter(leaving) }

// Drain ends the streams that would never end by themselves, the GET streams and subscriptions, and lets calls go on. It
// does not wait: the server's shutdown waits for their connections.
func (h *Handler) Drain() { h.enter(draining) }

// abandon ends every exchange that waits for an upstream, so that it leaves its event.
func (h *Handler) abandon() { h.enter(abandoning) }

// enter begins a phase, unless a later one has begun.
func (h *Handler) enter(phase int32) {
	for now := h.phase.Load(); now < phase && !h.phase.CompareAndSwap(now, phase); {
		now = h.phase.Load()
	}
}

// await waits until no exchange is in progress, at most for limit.
func (h *Handler) await(limit time.Duration) {
	tick := time.NewTicker(limit / 100)
	defer tick.Stop()
	for range 100 {
		if h.inflight.Load() == 0 {
			return
		}
		<-tick.C
	}
}
