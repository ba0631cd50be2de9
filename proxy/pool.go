package proxy

import (
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// pool is the connections to one server for one purpose. fasthttp's client bounds them and expires idle ones; that only so
// many idle ones are kept is ours (it has no such limit).
type pool struct {
	*fasthttp.HostClient
	usage
}

// usage counts the connections of a pool, those being dialled included.
type usage struct {
	keep    int64 // the most idle connections
	open    atomic.Int64
	used    atomic.Int64 // by exchanges, those that wait for one included
	retired atomic.Bool  // no connection is kept any more
}

// begin counts an exchange that is about to take a connection.
func (u *usage) begin() { u.used.Add(1) }

// end counts an exchange that is about to give its connection back, and says whether that may be kept. It never lets more
// be idle than keep: whoever comes last sees all others.
func (u *usage) end() (keep bool) {
	used := u.used.Add(-1)
	return u.open.Load()-used <= u.keep && !u.retired.Load()
}

// retire closes the idle connections, and those in use as they are given back.
func (p *pool) retire() {
	p.retired.Store(true)
	p.CloseIdleConnections()
}
