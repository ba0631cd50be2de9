package proxy

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// These tests are inside the package because the certificate of a test server is trusted by no option.

// secureUpstream is the connections to a TLS server that answers with handler.
func secureUpstream(t *testing.T, o UpstreamOptions, handler http.HandlerFunc) (*upstream, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	up := newUpstream(u, o)
	t.Cleanup(up.close)
	up.calls.TLSConfig.RootCAs = x509.NewCertPool()
	up.calls.TLSConfig.RootCAs.AddCert(server.Certificate())
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
	up, _ := secureUpstream(t, UpstreamOptions{}, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	up.calls.TLSConfig.RootCAs = x509.NewCertPool()
	var unknown x509.UnknownAuthorityError
	if _, err := ask(up, nil); !errors.As(err, &unknown) {
		t.Errorf("error %v, want an unknown authority", err)
	}
}
