package proxy

import (
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"
)

// linger is how long idle connections beyond those that are kept may stay. With as many calls in progress as connections
// are kept, or more, some are idle at any moment; to close these at once would dial anew for every other call.
const linger = time.Second

// pool is the connections to one server for one purpose. fasthttp's client bounds them and expires idle ones; that only so
// many idle ones are kept is ours (it has no such limit).
type pool struct {
	*fasthttp.HostClient
	usage

	trimming atomic.Bool // trimmer runs
	trimmer  *time.Timer // calls trim
	log      *zap.Logger
}

func newPool(e endpoint, o UpstreamOptions) *pool {
	p := &pool{usage: usage{keep: int64(max(o.MaxIdle, 0))}, log: o.log}
	p.HostClient = &fasthttp.HostClient{
		Addr:                e.address,
		Dial:                dialer(e, o, &p.usage), // speaks TLS too: fasthttp would keep the configuration of its first connection
		MaxConns:            o.MaxConns,
		MaxConnWaitTimeout:  o.ConnWait,
		MaxIdleConnDuration: o.IdleTimeout,
		ReadBufferSize:      o.MaxHeader,
	}
	p.trimmer = time.AfterFunc(linger, p.trim)
	p.trimmer.Stop()
	return p
}

// begin counts an exchange that is about to take a connection.
func (p *pool) begin() { p.used.Add(1) }

// end counts an exchange that is about to give its connection back, and says whether that may be kept.
func (p *pool) end() (keep bool) {
	p.used.Add(-1)
	switch idle := p.idle(); {
	case p.retired.Load():
		return false
	case idle <= p.keep:
		return true
	case p.keep == 0:
		return false
	case !p.trimming.Load() && !p.trimming.Swap(true):
		p.trimmer.Reset(linger)
	}
	return true
}

// trim closes the idle connections beyond those that are kept. It runs in a goroutine of its timer, where a panic would end
// the process.
func (p *pool) trim() {
	defer func() {
		if cause := recover(); cause != nil {
			p.log.Error("panic while idle connections were closed", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
		}
	}()
	p.trimming.Store(false) // who gives one back from now on may start the timer again
	for p.idle() > p.keep {
		c, err := p.AcquireConn(0, false)
		if err != nil {
			return // none is idle any more
		}
		p.CloseConn(c)
	}
}

// retire closes the idle connections, and those in use as they are given back.
func (p *pool) retire() {
	p.retired.Store(true)
	p.trimmer.Stop()
	p.CloseIdleConnections()
}

// usage counts the connections of a pool, those being dialled included.
type usage struct {
	keep    int64 // the most connections that stay idle
	open    atomic.Int64
	used    atomic.Int64 // by exchanges, those that wait for one included
	retired atomic.Bool  // no connection is kept any more
}

// idle is how many connections nobody uses, or fewer: those that are being dialled may have been counted for an exchange
// that waits.
func (u *usage) idle() int64 { return u.open.Load() - u.used.Load() }
