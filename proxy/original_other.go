//go:build !linux

package proxy

import (
	"errors"
	"net"
	"net/netip"
)

// originalDestination fails: redirect mode is one of Linux.
func originalDestination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.ErrUnsupported
}
