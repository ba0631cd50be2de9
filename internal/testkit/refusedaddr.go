package testkit

import (
	"net/netip"
	"syscall"
	"testing"
)

// RefusedAddr returns an address of loopback, host:port, where connections are refused until the test ends: the port is taken
// and nobody listens, so that no other test can be given it meanwhile.
func RefusedAddr(tb testing.TB) string {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) }) // nothing is lost with it
	loopback := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		tb.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		tb.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(loopback), uint16(bound.(*syscall.SockaddrInet4).Port)).String() //nolint:gosec // a port
}
