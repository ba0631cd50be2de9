package configs

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// unixScheme begins the address of a unix socket.
const unixScheme = "unix:"

// checkListeners checks the four listen addresses and the API socket.
func checkListeners(issues *Issues, c Config) {
	if c.Proxy.Listen == "" {
		issues.add("proxy.listen", "is required: write host:port or unix:/path")
	}
	seen := map[string]string{}
	for _, l := range []struct{ path, address string }{
		{"proxy.listen", c.Proxy.Listen},
		{"api.listen", c.API.Listen},
		{"admin.listen", c.Admin.Listen},
		{"debug.listen", c.Debug.Listen},
	} {
		if l.address == "" {
			continue
		}
		if problem := addressProblem(l.address); problem != "" {
			issues.add(l.path, quote(l.address)+" "+problem)
			continue
		}
		other, taken := seen[l.address]
		if taken && !strings.HasSuffix(l.address, ":0") {
			issues.add(l.path, fmt.Sprintf("%s is already taken by %s", l.address, other))
		}
		seen[l.address] = l.path
	}
	if d := c.Debug.Listen; d != "" && addressProblem(d) == "" && !Loopback(d) {
		issues.add("debug.listen", quote(d)+" is open to others: write unix:/path or a loopback address such as 127.0.0.1:6060")
	}
	if s := c.API.Socket; s != "" && !filepath.IsAbs(s) {
		issues.add("api.socket", quote(s)+" is no absolute path")
	}
}

// addressProblem says what is wrong with a listen address, or nothing.
func addressProblem(address string) string {
	if path, isUnix := strings.CutPrefix(address, unixScheme); isUnix {
		if !filepath.IsAbs(path) {
			return "names no absolute path: write unix:/path"
		}
		return ""
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "is no address: write host:port, :port or unix:/path"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "has no port from 0 to 65535"
	}
	if strings.ContainsAny(host, "/ ") {
		return "has no valid host"
	}
	return ""
}

// Loopback tells whether a listen address is reachable from this host only: a
// unix socket, localhost or a loopback address.
func Loopback(address string) bool {
	if strings.HasPrefix(address, unixScheme) {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
