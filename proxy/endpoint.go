package proxy

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// endpoint is where an MCP server is: how it is dialled, and what is asked for there.
type endpoint struct {
	network string // "tcp" or "unix"
	address string // host:port, or the path of a socket
	name    string // what the server's certificate must be for; "" without TLS
	host    string // of the Host header
	path    string // without the query, and never empty
	uri     string // path and query
}

// parseEndpoint reads the URL of a server: http://host[:port]/path, https://..., or unix:///socket.sock:/path for HTTP over
// a unix socket. What follows the socket's path and a colon is the path of the request, "/" when nothing does.
func parseEndpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, fmt.Errorf("read its url: %w", err)
	}
	e := endpoint{network: "tcp", host: u.Host, path: u.EscapedPath()}
	switch {
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		e.network, e.host = "unix", "localhost"
		e.address, _, _ = strings.Cut(u.Path, ":")
		_, e.path, _ = strings.Cut(e.path, ":")
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		e.address = address(u)
		if u.Scheme == "https" {
			e.name = u.Hostname()
		}
	default:
		return e, fmt.Errorf("url %q must be http or https with a host, or unix:///socket:/path", u.Redacted())
	}
	if e.path == "" {
		e.path = "/"
	}
	if e.path[0] != '/' {
		return e, fmt.Errorf("url %q: the path after the socket must begin with /", u.Redacted())
	}
	e.uri = e.path
	if u.RawQuery != "" {
		e.uri += "?" + u.RawQuery
	}
	return e, nil
}

// DialAddress returns where the MCP server of a URL is dialled, and the name that its certificate must be for: "" without TLS.
func DialAddress(url string) (network, address, name string, err error) {
	e, err := parseEndpoint(url)
	return e.network, e.address, e.name, err
}

func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
