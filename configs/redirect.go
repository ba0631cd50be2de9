package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ModeRedirect is the proxy.mode in which packet rules divert the connections
// that clients make to the servers.
const ModeRedirect = "redirect"

var (
	errDestination  = errors.New("is no destination: write it like 10.0.0.5:9000 or [fd00::5]:9000, or :9000 for every address")
	errNoPort       = errors.New("has no port from 1 to 65535")
	errNamedServer  = errors.New("is required in mode redirect, since url names no address: write what clients dial, like 10.0.0.5:9000")
	errSocketServer = errors.New("is required in mode redirect, since url is a socket: write what clients dial, like :9000")
)

// Dialled returns where clients dial the server in redirect mode: what
// destinations lists, or what follows from url. A port without an address
// stands for every address.
func (s Server) Dialled() ([]netip.AddrPort, error) {
	if len(s.Destinations) == 0 {
		at, err := dialledURL(s.URL)
		return []netip.AddrPort{at}, err
	}
	list := make([]netip.AddrPort, 0, len(s.Destinations))
	for _, text := range s.Destinations {
		at, err := parseDestination(text)
		if err != nil {
			return nil, fmt.Errorf("%s %w", quote(text), err)
		}
		list = append(list, at)
	}
	return list, nil
}

// dialledURL is the destination that follows from the address of a server. One
// on loopback is dialled at whatever address its host has.
func dialledURL(text string) (netip.AddrPort, error) {
	if strings.HasPrefix(text, unixScheme) {
		return netip.AddrPort{}, errSocketServer
	}
	u, err := url.Parse(text)
	if err != nil {
		return netip.AddrPort{}, errNamedServer
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := u.Hostname()
	if Loopback(net.JoinHostPort(host, port)) {
		host = ""
	} else if _, err := netip.ParseAddr(host); err != nil {
		return netip.AddrPort{}, errNamedServer
	}
	return parseDestination(net.JoinHostPort(host, port))
}

// parseDestination reads address:port or :port.
func parseDestination(text string) (netip.AddrPort, error) {
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, errDestination
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, errNoPort
	}
	var address netip.Addr
	if host != "" {
		if address, err = netip.ParseAddr(host); err != nil || address.Zone() != "" || address.IsUnspecified() {
			return netip.AddrPort{}, errDestination
		}
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(port)), nil
}

// checkMode checks what mode: redirect needs, and that nothing is configured
// that only it would use.
func checkMode(issues *Issues, p Proxy) {
	if p.Mode != ModeRedirect {
		for i, s := range p.Servers {
			if len(s.Destinations) > 0 {
				issues.add(fmt.Sprintf("proxy.servers[%d].destinations", i), "is used by proxy.mode: redirect only; leave it out")
			}
		}
		return
	}
	if runtime.GOOS != "linux" {
		issues.add("proxy.mode", "redirect works on Linux only: its kernel tells whom a diverted client has dialled")
	}
	if len(p.Servers) == 0 {
		issues.add("proxy.servers", "is required in mode redirect: what clients dial is refused unless it is listed")
	}
	own := listenPort(p.Listen)
	if own == 0 {
		issues.add("proxy.listen", quote(p.Listen)+" has no port that packet rules could name: write it like :15001")
	}
	checkDestinations(issues, p.Servers, own)
}

// checkDestinations checks where the servers are dialled. Two servers may share
// a destination when their paths differ.
func checkDestinations(issues *Issues, servers []Server, own uint16) {
	type place struct {
		at   netip.AddrPort
		path string
	}
	seen := map[place]int{}
	for i, s := range servers {
		key := fmt.Sprintf("proxy.servers[%d].destinations", i)
		list, err := s.Dialled()
		if err != nil {
			issues.add(key, err.Error())
			continue
		}
		for _, at := range list {
			if at.Port() == own {
				issues.add(key, fmt.Sprintf("holds port %d of proxy.listen: connections to it cannot be told from those that were diverted", own))
			}
			for _, path := range slices.Concat([]string{pathOf(s.URL)}, s.Passthrough) {
				if first, taken := seen[place{at, path}]; taken {
					issues.add(key, fmt.Sprintf("%s is already that of proxy.servers[%d], with the same path %s", destinationText(at), first, path))
				}
				seen[place{at, path}] = i
			}
		}
	}
}

// destinationText writes a destination as parseDestination reads it.
func destinationText(at netip.AddrPort) string {
	if !at.Addr().IsValid() {
		return ":" + strconv.Itoa(int(at.Port()))
	}
	return at.String()
}

// listenPort returns the port of a listen address, 0 when it has none.
func listenPort(address string) uint16 {
	_, digits, err := net.SplitHostPort(address)
	port, parse := strconv.ParseUint(digits, 10, 16)
	if err != nil || parse != nil || strings.HasPrefix(address, unixScheme) {
		return 0
	}
	return uint16(port)
}

// pathOf returns the path of a server's endpoint.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	path := u.EscapedPath()
	if strings.HasPrefix(text, unixScheme) {
		_, path, _ = strings.Cut(path, ":")
	}
	if path == "" {
		return "/"
	}
	return path
}
