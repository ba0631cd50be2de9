package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"
)

// unixPeers in Options.TrustedProxies stands for peers on a unix socket, which have no address.
const unixPeers = "unix:"

// trustedProxies says whose X-Forwarded-For is believed.
type trustedProxies struct {
	networks []netip.Prefix
	unix     bool
}

func newTrustedProxies(list []string) (t trustedProxies, err error) {
	for _, text := range list {
		if text == unixPeers {
			t.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return t, fmt.Errorf("proxy: read trusted proxy: %w", err)
		}
		t.networks = append(t.networks, network)
	}
	return t, nil
}

// none reports whether nobody is trusted.
func (t *trustedProxies) none() bool { return len(t.networks) == 0 && !t.unix }

// peer reports whether the other end of a connection is trusted. Without an address it is on a unix socket.
func (t *trustedProxies) peer(a netip.Addr) bool {
	if !a.IsValid() {
		return t.unix
	}
	return t.holds(a)
}

func (t *trustedProxies) holds(a netip.Addr) bool {
	a = a.WithZone("") // else it would be in no network
	for _, network := range t.networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds the way of a request: nobody has so many proxies.
const maxHops = 32

// hops returns the addresses that X-Forwarded-For vouches for, the nearest first. Each proxy appends the address that it was
// asked from, so the last line ends with what our peer says, and what a trusted proxy says of its own peer is believed in
// turn. The first address that is not trusted is the client's, and whatever stands before it is the client's own invention.
// An entry that is no address ends the list too.
func (t *trustedProxies) hops(dst []netip.Addr, lines [][]byte) []netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			entry := rest
			comma := bytes.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				rest, entry = rest[:comma], rest[comma+1:]
			}
			if entry = bytes.Trim(entry, " \t"); len(entry) == 0 {
				continue // RFC 9110 section 5.6.1
			}
			a, ok := parseHop(string(entry))
			if !ok {
				return dst
			}
			if dst = append(dst, a); !t.holds(a) || len(dst) == maxHops {
				return dst
			}
		}
	}
	return dst
}

// parseHop reads one entry of X-Forwarded-For: an address, which some proxies write with a port or in brackets.
func parseHop(entry string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(entry); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if entry, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(entry)
	return a.Unmap().WithZone(""), err == nil
}

// behind finds the client behind a trusted peer. x.Client is the peer's address when it comes, and the client's when it
// returns; x.via is the way between them, as the upstream is told.
func (x *Exchange) behind() {
	peer := x.Client
	if x.trusted = x.h.trust.peer(peer); !x.trusted {
		return
	}
	var room [8]netip.Addr
	hops := x.h.trust.hops(room[:0], x.ctx.Request.Header.PeekAll(headerForwarded))
	if len(hops) == 0 {
		return
	}
	x.Client = hops[len(hops)-1]
	b := x.scratch[:0]
	for i := len(hops) - 2; i >= 0; i-- {
		b = append(hops[i].AppendTo(b), ", "...)
	}
	if peer.IsValid() {
		b = append(peer.AppendTo(b), ", "...)
	}
	x.scratch, x.via = b, x.keep(bytes.TrimSuffix(b, []byte(", ")))
}

// appendForwardedFor appends the list that the upstream gets: the client and the proxies that vouch for it, our peer last.
func (x *Exchange) appendForwardedFor(dst []byte) []byte {
	dst = x.Client.AppendTo(dst)
	if x.via != "" {
		dst = append(append(dst, ", "...), x.via...)
	}
	return dst
}

// claimed reports whether a request field says where a request comes from. Only those of a trusted proxy are passed on,
// apart from the ones that would contradict ours.
func claimed(name string, trusted bool) bool {
	switch name {
	case headerForwarded, "Forwarded", "X-Real-Ip":
		return true
	}
	return !trusted && strings.HasPrefix(name, "X-Forwarded-")
}

// disguised returns the name that many servers read a field with underscores as (they put both into one variable,
// RFC 3875 section 4.1.18), and so what it must be treated as. "" when there is none.
func disguised(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return ""
	}
	return textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// scheme is that of the URL under which the client reached the gateway, as far as it is known.
func (x *Exchange) scheme() string {
	if x.ctx.IsTLS() || x.trusted && string(x.ctx.Request.Header.Peek("X-Forwarded-Proto")) == "https" {
		return "https"
	}
	return "http"
}
