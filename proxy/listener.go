package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// listener hands the connections of a socket to the server, under TLS where that is configured.
type listener struct {
	net.Listener
	tls    *atomic.Pointer[tls.Config] // holds nil: plain
	failed func()                      // counts a TLS handshake that came to nothing
	behind trustedProxies              // whose connections begin with a PROXY header
	broken func()                      // counts a PROXY header that cannot be used
	loops  *loops                      // connections were made to somebody else (see divertedConn); nil: they were not
	log    *zap.Logger

	once      sync.Once
	accepting chan struct{} // closed when the server has begun to accept, or never will
	stopped   chan struct{} // closed by Close
	stop      sync.Once
	err       error // of the first Close; guarded by stop
}

func newListener(l net.Listener, s *Server) *listener {
	return &listener{
		Listener: l, tls: &s.tls, failed: s.h.metrics.handshakes.Inc, log: s.log,
		behind: s.behind, broken: s.h.metrics.announcements.Inc, loops: s.h.live.Load().routes.loops,
		accepting: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// begun says that the server will notice when it is shut down.
func (l *listener) begun() { l.once.Do(func() { close(l.accepting) }) }

// longestPause is the longest wait after a connection could not be accepted.
const longestPause = time.Second

// Accept implements net.Listener. Trouble that passes, such as too many open files, is waited for: fasthttp would take any
// error for the end.
func (l *listener) Accept() (net.Conn, error) {
	l.begun()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			return l.secure(l.announced(l.restored(c))), nil
		case !passing(err):
			return nil, err
		}
		l.log.Warn("cannot accept connections for a moment", zap.Error(err), zap.Duration("pause", pause))
		select {
		case <-time.After(pause):
		case <-l.stopped:
			return nil, net.ErrClosed
		}
	}
}

// announced expects a PROXY header of a connection from a proxy that is known to send one. From anybody else a header is
// no request that could be read.
func (l *listener) announced(c net.Conn) net.Conn {
	if l.behind.none() {
		return c
	}
	peer, _ := c.RemoteAddr().(*net.TCPAddr)
	if !l.behind.peer(peer.AddrPort().Addr().Unmap()) {
		return c
	}
	return &announcedConn{Conn: c, failed: l.broken, ours: l.loops.ours}
}

// secure puts TLS on a connection where that is configured.
func (l *listener) secure(c net.Conn) net.Conn {
	if config := l.tls.Load(); config != nil {
		return newSecureConn(c, config, l.failed)
	}
	return c
}

// Close implements net.Listener. It does nothing the second time.
func (l *listener) Close() error {
	l.stop.Do(func() {
		close(l.stopped)
		l.err = l.Listener.Close()
	})
	return l.err
}

// passing reports whether a failure to accept may go by itself.
func passing(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
