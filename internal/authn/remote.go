package authn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxJWKS       = 1 << 20                // bytes of a document
	maxRedirects  = 3                      // and only within the same host
	firstRetry    = 250 * time.Millisecond // after a failed fetch; doubles
	lastRetry     = 30 * time.Second
	maxFlightWait = 2 * time.Second // how long a request waits for a fetch
)

// remoteKeys keeps the keys of a JWKS URL. One goroutine fetches them: at start, every Refresh, soon again after a
// failure, and when a token names a key that is not known. The last good keys stay in force while fetching fails, until their
// life ends.
//
// The fetching is our own, on top of jwkset's parsing of keys, because keyfunc and jwkset's client block start-up on the
// first fetch, fetch under the context of the request that met the unknown key, leave nothing to wait for when they are
// stopped, read bodies of any size, and lose a whole set when one of its keys is malformed.
type remoteKeys struct {
	url     string
	client  *http.Client
	refresh time.Duration
	life    time.Duration
	unknown time.Duration
	set     atomic.Pointer[keySet]
	failure atomic.Pointer[error] // of the last fetch, which may be none; nil before the first
	wake    chan struct{}         // capacity 1; when full, a fetch is already due
	cancel  context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	flight chan struct{} // closed when the fetch that is under way or due ends; nil when there is none
	asked  time.Time     // when a token last made a fetch happen
}

// openRemoteKeys checks the URL and starts fetching.
func openRemoteKeys(o JWTOptions) (*remoteKeys, error) {
	u, err := url.Parse(o.JWKSURL)
	if err != nil || !fetchable(u) {
		return nil, errors.New("the JWKS URL must be https, or http on a loopback address, without user or fragment")
	}
	transport := o.Transport
	if transport == nil {
		transport = newTransport(u, o.Control)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &remoteKeys{
		url:     u.String(),
		client:  &http.Client{Transport: transport, Timeout: o.FetchTimeout, CheckRedirect: sameHost},
		refresh: o.Refresh,
		life:    o.KeysLife,
		unknown: o.RefreshUnknown,
		wake:    make(chan struct{}, 1),
		cancel:  cancel,
		done:    make(chan struct{}),
		flight:  make(chan struct{}),
	}
	go r.run(ctx)
	return r, nil
}

// newTransport returns what fetches keys from u. Each connection is checked by control when the name of its host is resolved,
// unless the environment names a proxy for u: then all connections are to that, since redirects stay on the host of u.
func newTransport(u *url.URL, control func(network, address string, c syscall.RawConn) error) *http.Transport {
	dialer := &net.Dialer{Control: control}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		dialer.Control = nil
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		DisableKeepAlives:      true, // one fetch in minutes: an idle connection would only be in the way of Close
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
}

// close stops the goroutine and waits for it.
func (r *remoteKeys) close() {
	r.cancel()
	<-r.done
}

// current returns the last good keys, nil when there have been none yet.
func (r *remoteKeys) current() *keySet { return r.set.Load() }

// why returns why the last fetch failed, nil when it did not.
func (r *remoteKeys) why() error {
	if err := r.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// refreshed asks for the keys to be fetched again and waits until that has happened, ctx has ended or two seconds have
// passed. It returns at once when the last fetch that was asked for is too recent.
func (r *remoteKeys) refreshed(ctx context.Context) {
	flight := r.ask()
	if flight == nil {
		return
	}
	timer := time.NewTimer(maxFlightWait)
	defer timer.Stop()
	select {
	case <-flight:
	case <-ctx.Done():
	case <-timer.C:
	case <-r.done:
	}
}

// ask returns the fetch that is under way, or starts one, or returns nil when the last that was asked for is too recent.
// Fetches of the schedule do not count: a key that is changed right after one of them is noticed with its first token.
func (r *remoteKeys) ask() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if time.Since(r.asked) < r.unknown {
		return nil
	}
	r.asked = time.Now()
	r.flight = make(chan struct{})
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return r.flight
}

// run fetches until ctx ends.
func (r *remoteKeys) run(ctx context.Context) {
	defer close(r.done)
	retry := firstRetry
	var confirmed time.Time // when the keys were fetched last
	for {
		next := r.refresh
		err := r.fetchGuarded(ctx)
		r.failure.Store(&err)
		if err != nil {
			next = min(retry, r.refresh)
			retry = min(2*retry, lastRetry)
			next = min(next, r.expire(confirmed))
		} else {
			retry, confirmed = firstRetry, time.Now()
		}
		r.land()
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
		}
	}
}

// expire takes the keys out of force when their life has ended, and returns how long they have left otherwise.
func (r *remoteKeys) expire(confirmed time.Time) time.Duration {
	if left := r.life - time.Since(confirmed); left > 0 {
		return left
	}
	r.set.Store(nil)
	return r.refresh
}

// land tells those who wait for the fetch that it has ended.
func (r *remoteKeys) land() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		close(r.flight)
		r.flight = nil
	}
}

// fetchGuarded is fetch with a panic turned into an error: the parsers run on what another machine sent.
func (r *remoteKeys) fetchGuarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fetch JWKS: panic: %v", p)
		}
	}()
	return r.fetch(ctx)
}

// fetch gets the document once and puts its keys in force when they differ from those there are.
func (r *remoteKeys) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return fmt.Errorf("fetch JWKS: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return fmt.Errorf("fetch JWKS: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch JWKS: status %d", response.StatusCode)
	}
	doc, err := io.ReadAll(io.LimitReader(response.Body, maxJWKS+1))
	if err != nil {
		return fmt.Errorf("fetch JWKS: %w", err)
	}
	if len(doc) > maxJWKS {
		return fmt.Errorf("fetch JWKS: more than %d bytes", maxJWKS)
	}
	set, err := parseJWKS(doc)
	if err != nil {
		return fmt.Errorf("fetch JWKS: %w", err)
	}
	if old := r.set.Load(); old == nil || old.digest != set.digest {
		r.set.Store(set)
	}
	return nil
}

// fetchable reports whether keys may be fetched from u: over TLS, or without it on this machine only.
func fetchable(u *url.URL) bool {
	if u.User != nil || u.Host == "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

// loopback reports whether host names this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// sameHost allows a redirect only to the scheme, host and port that were asked.
func sameHost(request *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if first := via[0].URL; request.URL.Scheme != first.Scheme || request.URL.Host != first.Host {
		return errors.New("a redirect to another host")
	}
	return nil
}
