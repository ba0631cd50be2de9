package proxy

import "time"

// room refuses a caller who holds as many bytes as one may hold, and one more lasting stream to a caller who has as many as one
// may have: each holds a connection on both sides.
func (h *Handler) room(x *Exchange) bool {
	x.arrived()
	if !x.hold(x.bodyIn()) {
		return x.refuse(h.overheld())
	}
	if !x.longLived() {
		return true
	}
	if !h.streams.take(x.owner(), 1, h.o.MaxStreams) {
		return x.refuse(&Problem{Status: 429, Rule: "streams", Reason: "too many streams are open", Retry: 10 * time.Second})
	}
	x.counted = true
	return true
}
