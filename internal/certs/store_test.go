package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sark/internal/certs"
	"sark/internal/testkit"
)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(by time.Duration) { c.ahead.Add(int64(by)) }

// store opens a store whose files are looked at again when the clock was moved by a second.
func store(t *testing.T, o certs.Options) (*certs.Store, *clock, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	c := &clock{}
	o.Name, o.Log, o.Now = "proxy.tls", zap.New(core), c.now
	s, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, logs
}

// serial is the serial number of the certificate in force.
func serial(s *certs.Store) string { return s.Current().Certificate.Leaf.SerialNumber.String() }

func messages(logs *observer.ObservedLogs) (m []string) {
	for _, e := range logs.All() {
		m = append(m, e.Message)
	}
	return m
}

const (
	readAgain = "certificate files read again"
	unusable  = "certificate files cannot be used; those read before stay in force"
)

func TestReload(t *testing.T) {
	dir, ca := t.TempDir(), testkit.NewAuthority(t)
	first, second := ca.Issue(t, nil), ca.Issue(t, nil)
	cert, key := first.Write(t, dir)
	s, c, logs := store(t, certs.Options{CertFile: cert, KeyFile: key})
	same := s.Current()

	second.Write(t, dir)
	if got := serial(s); got != first.Leaf.SerialNumber.String() {
		t.Error("the files were looked at again within a second")
	}
	c.pass(time.Second)

	if got := serial(s); got != second.Leaf.SerialNumber.String() {
		t.Error("the new certificate is not in force")
	}
	if s.Current() == same {
		t.Error("the material is the old one")
	}
	changed := s.Current()
	c.pass(time.Second)
	if s.Current() != changed {
		t.Error("files that did not change were read again")
	}
	if d := cmp.Diff([]string{readAgain}, messages(logs)); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
	if !s.NotAfter().Equal(second.Leaf.NotAfter) || s.Err() != nil {
		t.Errorf("it ends at %s, error %v", s.NotAfter(), s.Err())
	}
}

// TestReloadHalf writes the certificate and, later, its key: in between the old pair stays in force.
func TestReloadHalf(t *testing.T) {
	dir, ca := t.TempDir(), testkit.NewAuthority(t)
	first, second := ca.Issue(t, nil), ca.Issue(t, nil)
	cert, key := first.Write(t, dir)
	s, c, logs := store(t, certs.Options{CertFile: cert, KeyFile: key})

	testkit.WriteFile(t, dir, "tls.crt", second.Cert)
	for range 3 {
		c.pass(time.Second)
		if got := serial(s); got != first.Leaf.SerialNumber.String() {
			t.Error("half a pair is in force")
		}
	}
	if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "proxy.tls: read certificate "+cert+" and key "+key+": tls: ") {
		t.Errorf("error %v", err)
	}
	testkit.WriteFile(t, dir, "tls.key", second.Key)
	c.pass(time.Second)

	if got := serial(s); got != second.Leaf.SerialNumber.String() || s.Err() != nil {
		t.Errorf("the whole pair is not in force: %v", s.Err())
	}
	if d := cmp.Diff([]string{unusable, readAgain}, messages(logs)); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}

// TestReloadFaults breaks the files in one way after the other and mends them again.
func TestReloadFaults(t *testing.T) {
	ca := testkit.NewAuthority(t)
	expired := ca.Issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })
	early := ca.Issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) })
	for name, fault := range map[string]func(t *testing.T, dir string){
		"no certificate": func(t *testing.T, dir string) { remove(t, dir, "tls.crt") },
		"no key":         func(t *testing.T, dir string) { remove(t, dir, "tls.key") },
		"no authorities": func(t *testing.T, dir string) { remove(t, dir, "ca.crt") },
		"empty":          func(t *testing.T, dir string) { testkit.WriteFile(t, dir, "tls.crt", nil) },
		"garbage":        func(t *testing.T, dir string) { testkit.WriteFile(t, dir, "ca.crt", []byte("garbage")) },
		"expired":        func(t *testing.T, dir string) { expired.Write(t, dir) },
		"not yet valid":  func(t *testing.T, dir string) { early.Write(t, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, good := t.TempDir(), ca.Issue(t, nil)
			cert, key := good.Write(t, dir)
			s, c, _ := store(t, certs.Options{CertFile: cert, KeyFile: key, CAFile: testkit.WriteFile(t, dir, "ca.crt", ca.PEM)})
			before := s.Current()

			fault(t, dir)
			c.pass(time.Second)

			if s.Current() != before {
				t.Error("the material changed")
			}
			if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "proxy.tls: ") {
				t.Errorf("error %v", err)
			}
			next := ca.Issue(t, nil)
			next.Write(t, dir)
			testkit.WriteFile(t, dir, "ca.crt", ca.PEM)
			c.pass(time.Second)
			if got := serial(s); got != next.Leaf.SerialNumber.String() || s.Err() != nil {
				t.Errorf("mended files are not in force: %v", s.Err())
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestReloadKubernetes switches the ..data link of a mounted secret, as the kubelet does.
func TestReloadKubernetes(t *testing.T) {
	dir, ca := t.TempDir(), testkit.NewAuthority(t)
	first, second := ca.Issue(t, nil), ca.Issue(t, nil)
	first.Write(t, filepath.Join(dir, "..2026_1"))
	link(t, "..2026_1", filepath.Join(dir, "..data"))
	link(t, "..data/tls.crt", filepath.Join(dir, "tls.crt"))
	link(t, "..data/tls.key", filepath.Join(dir, "tls.key"))
	s, c, _ := store(t, certs.Options{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")})

	second.Write(t, filepath.Join(dir, "..2026_2"))
	link(t, "..2026_2", filepath.Join(dir, "..data"))
	c.pass(time.Second)

	if got := serial(s); got != second.Leaf.SerialNumber.String() {
		t.Error("the new certificate is not in force")
	}
}

// link makes or replaces a symbolic link in one step.
func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestExpires tells of a certificate that ends while it is in force.
func TestExpires(t *testing.T) {
	dir := t.TempDir()
	cert, key := testkit.NewAuthority(t).Issue(t, nil).Write(t, dir)
	s, c, _ := store(t, certs.Options{CertFile: cert, KeyFile: key})
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	c.pass(2 * time.Hour)
	if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "proxy.tls: "+cert+": the certificate ended at ") {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	cert, key := testkit.NewAuthority(t).Issue(t, nil).Write(t, dir)
	for name, o := range map[string]certs.Options{
		"no name":      {CertFile: cert, KeyFile: key},
		"no key":       {Name: "x", CertFile: cert},
		"key alone":    {Name: "x", KeyFile: key},
		"key as CA":    {Name: "x", CAFile: key},
		"cert as key":  {Name: "x", CertFile: cert, KeyFile: cert},
		"missing file": {Name: "x", CAFile: filepath.Join(dir, "nothing")},
	} {
		if _, err := certs.Open(o); err == nil {
			t.Errorf("%s: it was opened", name)
		} else if name == "missing file" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// handshake connects two configurations over real TCP and returns what the client, and then the server, saw of the other.
func handshake(t *testing.T, server, client *tls.Config) (seen, asked tls.ConnectionState, err error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	states := make(chan tls.ConnectionState, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if c := conn.(*tls.Conn); c.Handshake() == nil {
			_, _ = c.Write([]byte{1})
			states <- c.ConnectionState()
			return
		}
		states <- tls.ConnectionState{}
	}()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: testkit.Patience}, "tcp", l.Addr().String(), client)
	if err == nil {
		defer func() { _ = conn.Close() }()
		_, err = conn.Read(make([]byte, 1)) // the server's verdict on the client comes after the client's own
		seen = conn.ConnectionState()
	}
	return seen, testkit.Wait(t, 0, states), err
}

func TestHandshakes(t *testing.T) {
	dir := t.TempDir()
	ca, clients, strangers := testkit.NewAuthority(t), testkit.NewAuthority(t), testkit.NewAuthority(t)
	cert, key := ca.Issue(t, nil).Write(t, dir)
	caFile := testkit.WriteFile(t, dir, "ca.crt", clients.PEM)
	s, c, _ := store(t, certs.Options{CertFile: cert, KeyFile: key, CAFile: caFile})
	with := func(by *testkit.Authority) *tls.Config {
		pair := by.IssueNamed(t, "spiffe://example.org/ci").Pair(t)
		return &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
	}
	without := func() *tls.Config { return &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"} }

	seen, asked, err := handshake(t, s.Server(), with(clients))
	if err != nil || len(asked.VerifiedChains) != 1 || seen.Version != tls.VersionTLS13 {
		t.Errorf("a known client: %d chains, version %x, error %v", len(asked.VerifiedChains), seen.Version, err)
	}
	if _, asked, err = handshake(t, s.Server(), without()); err != nil || len(asked.PeerCertificates) != 0 {
		t.Errorf("a client without certificate: %v", err)
	}
	if _, _, err = handshake(t, s.Server(), with(strangers)); err == nil {
		t.Error("a client of another authority got through")
	}
	old := without()
	old.MaxVersion = tls.VersionTLS11
	if _, _, err = handshake(t, s.Server(), old); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	h2 := without()
	h2.NextProtos = []string{"h2", "http/1.1"}
	if seen, _, err = handshake(t, s.Server(), h2); err != nil || seen.NegotiatedProtocol != "http/1.1" {
		t.Errorf("protocol %q, error %v", seen.NegotiatedProtocol, err)
	}
	h2.NextProtos = []string{"h2"}
	if _, _, err = handshake(t, s.Server(), h2); err == nil {
		t.Error("HTTP/2 was agreed on")
	}

	testkit.WriteFile(t, dir, "ca.crt", strangers.PEM)
	c.pass(time.Second)
	if _, _, err = handshake(t, s.Server(), with(strangers)); err != nil {
		t.Errorf("after the authorities changed, their client: %v", err)
	}
	if _, _, err = handshake(t, s.Server(), with(clients)); err == nil {
		t.Error("a client of a removed authority got through")
	}
}

// TestClient verifies servers against the files' authorities, and shows them its certificate.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	ca := testkit.NewAuthority(t)
	cert, key := ca.IssueNamed(t, "gateway.example").Write(t, dir)
	s, _, _ := store(t, certs.Options{CertFile: cert, KeyFile: key, CAFile: testkit.WriteFile(t, dir, "ca.crt", ca.PEM)})
	server := func(by *testkit.Authority) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{by.IssueNamed(t, "mcp.internal").Pair(t)}, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
		}
	}
	_, asked, err := handshake(t, server(ca), s.Client("mcp.internal"))
	if err != nil || len(asked.PeerCertificates) != 1 || asked.ServerName != "mcp.internal" {
		t.Errorf("the server saw %d certificates and name %q, error %v", len(asked.PeerCertificates), asked.ServerName, err)
	}
	if _, _, err = handshake(t, server(ca), s.Client("other.internal")); err == nil {
		t.Error("a server of another name was accepted")
	}
	if _, _, err = handshake(t, server(testkit.NewAuthority(t)), s.Client("mcp.internal")); err == nil {
		t.Error("a server of another authority was accepted")
	}
}
