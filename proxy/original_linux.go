package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// CheckRedirect returns what this host lacks for Options.Redirect, nil when its kernel tells whom a client has dialled. It
// cannot tell whether packet rules are there: only who may change them may read them.
func CheckRedirect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("ask for the original destination: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was sent
	// A socket without a connection is not tracked, which is another error than that of a kernel that tracks none.
	if _, err = unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST); errors.Is(err, unix.ENOPROTOOPT) {
		return errors.New("the kernel does not track connections")
	}
	return nil
}

// originalDestination asks the kernel whom the client of an accepted connection has dialled, before packet rules changed
// that (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST: one number for both families, at different levels). A connection that no
// rule touched has its own address, or ENOENT where connections are not tracked.
func originalDestination(c *net.TCPConn) (to netip.AddrPort, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return to, fmt.Errorf("original destination: %w", err)
	}
	v4 := addrPort(c.LocalAddr()).Addr().Is4()
	level := unix.SOL_IPV6
	if v4 {
		level = unix.SOL_IP
	}
	var info *unix.IPv6MTUInfo // begins with a socket address, and has room for one of either family
	failed := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptIPv6MTUInfo(int(fd), level, unix.SO_ORIGINAL_DST) // #nosec G115 -- a descriptor fits
	})
	if err = errors.Join(failed, err); err != nil {
		return to, fmt.Errorf("original destination: %w", err)
	}
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], info.Addr.Port) // in network order, as it lies in memory
	address := netip.AddrFrom16(info.Addr.Addr)
	if v4 { // sockaddr_in has its address where sockaddr_in6 has the flow
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], info.Addr.Flowinfo)
		address = netip.AddrFrom4(b)
	}
	return netip.AddrPortFrom(address.Unmap(), binary.BigEndian.Uint16(port[:])), nil
}
