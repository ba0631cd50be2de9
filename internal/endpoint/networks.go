package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// ErrRefused says that an address is not one that a registered server may have. Ask with errors.Is.
var ErrRefused = errors.New("the address is not in a network that proxy.registry.allowed_networks allows")

// Networks are the addresses that registered servers may have. Nil holds every address. An address is looked at after its
// name was resolved, each time when it is dialled, so that a name cannot lead elsewhere later (DNS rebinding).
type Networks struct {
	allowed []netip.Prefix // empty: all but special ones
}

// NewNetworks returns the networks to allow; without any, every address but the special ones. Special ones are this host,
// its link, multicast, what is reserved, and where clouds keep the metadata of a machine. They are allowed only by a
// network that lies within them: 127.0.0.0/8 allows loopback, 0.0.0.0/0 does not.
func NewNetworks(allowed []netip.Prefix) *Networks {
	n := &Networks{}
	for _, p := range allowed {
		n.allowed = append(n.allowed, p.Masked())
	}
	return n
}

// Check says why a URL cannot be the endpoint of a registered server: what the function Check says, or that its host is an
// address that Networks does not allow. localhost counts as both loopback addresses (RFC 6761, section 6.3). Other names are
// not resolved here; Control checks what they resolve to.
func (n *Networks) Check(endpoint string) error {
	if err := Check(endpoint); err != nil {
		return err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("should be a URL")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if !n.holds(host) {
		return fmt.Errorf("should be in a network that proxy.registry.allowed_networks allows, which %s is not", host)
	}
	return nil
}

// holds reports whether a host can be one of these networks before it is resolved.
func (n *Networks) holds(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return n.Allows(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || n.Allows(netip.IPv6Loopback())
	}
	a, err := netip.ParseAddr(host)
	return err != nil || n.Allows(a)
}

// Allows reports whether an address may be connected to. One that carries an IPv4 address has to be allowed itself, and so
// has what it carries when that is special.
func (n *Networks) Allows(a netip.Addr) bool {
	if n == nil {
		return a.IsValid()
	}
	a = a.Unmap().WithZone("")
	inner := embedded(a)
	return n.allows(a) && (inner == a || !specialNetwork(inner).IsValid() || n.allows(inner))
}

func (n *Networks) allows(a netip.Addr) bool {
	within := specialNetwork(a)
	if !within.IsValid() && len(n.allowed) == 0 {
		return a.IsValid()
	}
	for _, p := range n.allowed {
		if p.Contains(a) && (!within.IsValid() || p.Bits() >= within.Bits()) {
			return true
		}
	}
	return false
}

// Control is for net.Dialer.Control, which is called for every address before it is connected to.
func (n *Networks) Control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network == "unix" || !n.Allows(at.Addr()) {
		return fmt.Errorf("%s: %w", address, ErrRefused)
	}
	return nil
}

// special are the networks of NewNetworks (RFC 6890), IPv4 carried in IPv6 among them (RFC 6052, 3056, 4380), and the
// metadata services that are not link-local: Alibaba, Oracle, Azure, and AWS and Google over IPv6.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::/32"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// specialNetwork returns the special network that an address is in, or an invalid one.
func specialNetwork(a netip.Addr) netip.Prefix {
	for _, s := range special {
		if s.Contains(a) {
			return s
		}
	}
	return netip.Prefix{}
}

// embedded returns the IPv4 address inside a 6to4 (RFC 3056), NAT64 (RFC 6052) or IPv4-compatible (RFC 4291) one.
func embedded(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a) && b[12] != 0:
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}
