package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// longestAnnouncement is the longest PROXY header that is read, in bytes: one of version 1 has 107 at most, and one of
// version 2 carries notes of unknown length behind its addresses, of which known proxies send a few hundred bytes.
const longestAnnouncement = 2048

var errAnnouncement = errors.New("no valid PROXY header")

// announcedConn is a connection from a proxy that begins with a PROXY header (HAProxy's proxy-protocol.txt, versions 1 and
// 2), which says who is behind it. The header is read together with the first bytes that the server reads or, under TLS,
// with the handshake, so that their deadline is the header's too.
type announcedConn struct {
	net.Conn
	failed func()                       // counts a header that cannot be used
	ours   func(from, to net.Addr) bool // whether this gateway has dialled the connection, which has no header then

	remote net.Addr // of the client; nil until the header was read, or when it names nobody
	rest   []byte   // came with the header and is still to be read
	begun  bool     // the header was read
	err    error    // of the header
}

// Read implements net.Conn. Without a valid header the connection is closed, and seems to have ended before it began: there
// is no request to answer.
func (c *announcedConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if c.err = c.announce(); c.err != nil {
			_ = c.Close() // there is nothing to end in order
		}
	}
	if c.err != nil {
		return 0, net.ErrClosed
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// announce reads the header.
func (c *announcedConn) announce() error {
	buf := make([]byte, longestAnnouncement)
	for have := 0; have < len(buf); {
		n, err := c.Conn.Read(buf[have:])
		have += n
		size, client, bad := parseAnnouncement(buf[:have])
		switch {
		case bad != nil && c.ours(c.Conn.RemoteAddr(), c.Conn.LocalAddr()):
			c.rest = bytes.Clone(buf[:have])
			return nil
		case bad != nil:
			c.failed()
			return bad
		case size > 0:
			if client.IsValid() {
				c.remote = net.TCPAddrFromAddrPort(client)
			}
			c.rest = bytes.Clone(buf[size:have])
			return nil
		case err != nil:
			if have > 0 {
				c.failed()
			}
			return fmt.Errorf("read the PROXY header: %w", err)
		}
	}
	c.failed()
	return errAnnouncement
}

// RemoteAddr implements net.Conn: it is the address of the client, once the header was read.
func (c *announcedConn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// SyscallConn implements syscall.Conn, so that a client that leaves is seen.
func (c *announcedConn) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// parseAnnouncement reads a PROXY header at the beginning of b. It returns its size, 0 when more bytes are needed, and the
// client's address, which is not valid when the proxy speaks for itself or does not know.
func parseAnnouncement(b []byte) (size int, client netip.AddrPort, err error) {
	switch {
	case strings.HasPrefix(signature, string(b[:min(len(b), len(signature))])):
		return parseBinary(b)
	case strings.HasPrefix("PROXY ", string(b[:min(len(b), len("PROXY "))])):
		return parseText(b)
	}
	return 0, client, errAnnouncement
}

// longestText is the longest header of version 1, line end included.
const longestText = 107

// parseText reads "PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n" or "PROXY UNKNOWN ...\r\n".
func parseText(b []byte) (size int, client netip.AddrPort, err error) {
	end := bytes.IndexByte(b[:min(len(b), longestText)], '\n')
	if end < 0 {
		if len(b) >= longestText {
			return 0, client, errAnnouncement
		}
		return 0, client, nil
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	fields := strings.Split(line, " ")
	switch {
	case !ok:
		return 0, client, errAnnouncement
	case fields[1] == "UNKNOWN":
		return end + 1, client, nil
	case len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6":
		return 0, client, errAnnouncement
	}
	source, ok := textAddress(fields[1], fields[2], fields[4])
	if _, also := textAddress(fields[1], fields[3], fields[5]); !ok || !also {
		return 0, client, errAnnouncement
	}
	return end + 1, source, nil
}

// textAddress reads an address of version 1, in the one form that it may have.
func textAddress(family, address, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

// The bytes of a header of version 2: version and command, then family and transport.
const (
	commandLocal = 0x20 // the proxy speaks for itself
	commandProxy = 0x21
	familyNone   = 0x00
	familyTCP4   = 0x11
	familyTCP6   = 0x21
	familyUnix   = 0x31
)

// parseBinary reads a header of version 2. Notes behind the addresses are passed over.
func parseBinary(b []byte) (size int, client netip.AddrPort, err error) {
	const head = len(signature) + 4
	if len(b) < head {
		return 0, client, nil
	}
	command, family := b[len(signature)], b[len(signature)+1]
	size = head + int(binary.BigEndian.Uint16(b[len(signature)+2:]))
	if size > longestAnnouncement || command != commandLocal && command != commandProxy {
		return 0, client, errAnnouncement
	}
	if len(b) < size {
		return 0, client, nil
	}
	body := b[head:size]
	if command == commandLocal {
		return size, client, nil
	}
	switch {
	case family == familyTCP4 && len(body) >= 12:
		return size, netip.AddrPortFrom(netip.AddrFrom4([4]byte(body[:4])), binary.BigEndian.Uint16(body[8:])), nil
	case family == familyTCP6 && len(body) >= 36:
		return size, netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[:16])).Unmap(), binary.BigEndian.Uint16(body[32:])), nil
	case family == familyNone || family == familyUnix:
		return size, client, nil
	}
	return 0, client, errAnnouncement
}
