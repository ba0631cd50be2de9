package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"sark/internal/testkit"
)

// These tests are inside the package because they hold the transport without a gateway around it.

// secureUpstream is the connections to a TLS server that answers with handler. Without o.TLS they trust it.
func secureUpstream(t *testing.T, o UpstreamOptions, handler http.HandlerFunc) (*upstream, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	at, err := parseEndpoint(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if o.TLS == nil {
		o.TLS = func(name string) *tls.Config {
			c := systemTLS(name)
			c.RootCAs = x509.NewCertPool()
			c.RootCAs.AddCert(server.Certificate())
			return c
		}
	}
	up := newUpstream(at, o)
	t.Cleanup(up.close)
	return up, server
}

// watcherFunc is a watcher in Go.
type watcherFunc func() error

func (f watcherFunc) look(time.Time) error { return f() }

// ask sends one request and returns the body of its reply.
func ask(up *upstream, w watcher) (string, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod("POST")
	req.SetRequestURI("/mcp")
	req.Header.SetHost("example.com")
	err := up.transport.roundTrip(up.calls, req, resp, w)
	return string(resp.Body()), err
}

func TestTransportOverTLS(t *testing.T) {
	t.Parallel()
	up, server := secureUpstream(t, UpstreamOptions{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secure")) })
	for range 3 {
		body, err := ask(up, nil)
		if err != nil || body != "secure" {
			t.Fatalf("reply %q, error %v", body, err)
		}
	}
	server.CloseClientConnections()
	<-time.After(2 * quiet) // the pause is what the test is about
	if body, err := ask(up, nil); err != nil || body != "secure" {
		t.Errorf("after the server closed its connections: reply %q, error %v", body, err)
	}
}

func TestTransportOverTLSAsksItsWatcher(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up, _ := secureUpstream(t, UpstreamOptions{}, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	looks := 0
	_, err := ask(up, watcherFunc(func() error {
		looks++
		return errClientGone
	}))
	if err == nil || looks != 1 {
		t.Errorf("error %v after %d looks", err, looks)
	}
}

func TestTransportOverTLSTimesOut(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	up, _ := secureUpstream(t, UpstreamOptions{FirstByteTimeout: 200 * time.Millisecond}, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	if _, err := ask(up, nil); !errors.Is(err, fasthttp.ErrTimeout) {
		t.Errorf("error %v, want a timeout", err)
	}
}

func TestTransportRefusesUnknownCertificates(t *testing.T) {
	t.Parallel()
	up, _ := secureUpstream(t, UpstreamOptions{TLS: systemTLS}, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	var unknown x509.UnknownAuthorityError
	if _, err := ask(up, nil); !errors.As(err, &unknown) {
		t.Errorf("error %v, want an unknown authority", err)
	}
}

// TestTransportAsksForItsConfiguration dials with what is right at the time, so that certificates can change.
func TestTransportAsksForItsConfiguration(t *testing.T) {
	t.Parallel()
	ca, clients := testkit.NewAuthority(t), testkit.NewAuthority(t)
	pair := clients.IssueNamed(t, "gateway.internal").Pair(t)
	var asked []string
	var roots *x509.CertPool
	var own []tls.Certificate
	o := UpstreamOptions{TLS: func(name string) *tls.Config {
		asked = append(asked, name)
		c := systemTLS(name)
		c.RootCAs, c.Certificates = roots, own
		return c
	}}
	up, server := secureUpstream(t, o, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].DNSNames[0]))
	})
	server.TLS.Certificates = []tls.Certificate{ca.Issue(t, nil).Pair(t)}
	server.TLS.ClientCAs, server.TLS.ClientAuth = clients.Pool, tls.RequireAndVerifyClientCert

	if _, err := ask(up, nil); err == nil || upstreamProblem(err).Reason != "the server cannot be reached" {
		t.Errorf("a server of an unknown authority: %v", err)
	}
	roots = ca.Pool
	if _, err := ask(up, nil); err == nil {
		t.Error("a server that wants a certificate answered without one")
	}
	own = []tls.Certificate{pair}
	for range 2 { // the second time over the same connection
		body, err := ask(up, nil)
		if err != nil || body != "gateway.internal" {
			t.Errorf("reply %q, error %v", body, err)
		}
	}
	if d := cmp.Diff([]string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, asked); d != "" {
		t.Errorf("asked for (-want +got):\n%s", d)
	}
}

// TestTransportSaysThatHTTP2IsNotSpoken names what is wrong with a server that has nothing else.
func TestTransportSaysThatHTTP2IsNotSpoken(t *testing.T) {
	t.Parallel()
	up, server := secureUpstream(t, UpstreamOptions{}, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	server.TLS.NextProtos = []string{"h2c"} // for "h2" crypto/tls makes an exception
	_, err := ask(up, nil)
	if err == nil {
		t.Fatal("there is a reply")
	}
	p := upstreamProblem(err)
	if p.Status != 502 || p.Reason != notHTTP1 {
		t.Errorf("problem %d %s: %v", p.Status, p.Reason, err)
	}
}

// TestTransportBoundsHandshakes ends a dial to what accepts connections and says nothing.
func TestTransportBoundsHandshakes(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	at, err := parseEndpoint("https://" + silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	up := newUpstream(at, UpstreamOptions{ConnectTimeout: 100 * time.Millisecond})
	defer up.close()
	began := time.Now()
	var dial *dialError
	if _, err := ask(up, nil); !errors.As(err, &dial) || time.Since(began) > 5*time.Second {
		t.Errorf("error %v after %s", err, time.Since(began))
	}
}
