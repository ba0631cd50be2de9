//go:build !linux

package proxy

import (
	"errors"
	"net"
	"net/netip"
)

// CheckRedirect returns what this host lacks for Options.Redirect.
func CheckRedirect() error { return errors.ErrUnsupported }

// originalDestination fails: redirect mode is one of Linux.
func originalDestination(*net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, errors.ErrUnsupported
}
