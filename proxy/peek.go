package proxy

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// condition is what can be known of a TCP connection without reading from it.
type condition uint8

const (
	waiting  condition = iota // open, and nothing has come
	readable                  // something has come
	closed                    // the peer has closed its side, or the connection is broken
)

// gone reports whether the peer of a connection has closed its side. A half-closed connection counts as gone: nobody who
// waits for a reply closes its side. Bytes that were sent before, such as the alert that ends TLS, do not hide the end on
// Linux; elsewhere they do.
func gone(c net.Conn) bool { return peek(c) == closed }

// peek looks at the next byte of a TCP connection, under TLS or not, and leaves it there. Connections of other kinds
// count as waiting.
func peek(c net.Conn) condition {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = t.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return waiting
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return closed
	}
	seen := waiting
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT) // #nosec G115 -- a descriptor fits
		switch {
		case n > 0 && hungUp(int(fd)): // #nosec G115 -- a descriptor fits
			seen = closed
		case n > 0:
			seen = readable
		case err == nil || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			seen = closed
		}
	})
	if err != nil {
		return closed
	}
	return seen
}
