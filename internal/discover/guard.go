package discover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"sark/internal/endpoint"
)

// errRefused says that a URL is not one to ask, before any connection.
var errRefused = errors.New("the address is refused")

// errTooLarge says that a server answered with more than a discovery takes.
var errTooLarge = errors.New("the answer is too large")

// guard is the transport of one discovery. It speaks to one origin only and counts what comes back.
type guard struct {
	origin string
	next   *http.Transport
	left   atomic.Int64 // bytes

	mu    sync.Mutex // guards first
	first error      // the first thing that was refused or failed
}

// newGuard returns a transport for an endpoint. Proxies of the environment are not for it: the address would be theirs.
func newGuard(u *url.URL, maxBytes int64, networks *endpoint.Networks) *guard {
	dialer := &net.Dialer{Control: networks.Control}
	g := &guard{origin: u.Scheme + "://" + u.Host, next: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true}}
	g.left.Store(maxBytes)
	return g
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if origin := r.URL.Scheme + "://" + r.URL.Host; origin != g.origin {
		return nil, g.note(fmt.Errorf("%w: %s is another origin than %s", errRefused, origin, g.origin))
	}
	reply, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, g.note(err)
	}
	reply.Body = &counted{reply.Body, g}
	return reply, nil
}

// note remembers the first error, and returns it.
func (g *guard) note(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = err
	}
	return err
}

func (g *guard) cause() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

func (g *guard) close() { g.next.CloseIdleConnections() }

// counted is a body that ends with errTooLarge once all bodies together are.
type counted struct {
	io.ReadCloser
	g *guard
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.g.left.Add(-int64(n)) < 0 {
		return 0, c.g.note(errTooLarge)
	}
	return n, err
}
