package siem_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"sark/internal/testkit"
	"sark/store/siem"
)

// TestSyslogUDP sends one event a datagram, without a count before it.
func TestSyslogUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	sink, err := siem.NewSyslog(siem.SyslogOptions{Network: "udp", Address: conn.LocalAddr().String(), Facility: 13})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t)
	l := open(t, g.options(sink))
	g.record(t, 10) // fits into the socket's buffer whole
	flush(t, l)

	var got []int64
	buffer := make([]byte, 1<<16)
	if err := conn.SetReadDeadline(time.Now().Add(testkit.Patience)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		head := header.Find(buffer[:n])
		if head == nil {
			t.Fatalf("a datagram without the header: %q", buffer[:n])
		}
		got = append(got, sequences(buffer[len(head):n])...)
	}
	compare(t, "events that arrived", numbers(1, 10), got)
}

// TestClientCertificate shows a certificate to a receiver that wants one; without it nothing is taken, and nothing counts as
// sent.
func TestClientCertificate(t *testing.T) {
	authority, g, r := testkit.NewAuthority(t), newGateway(t), newReceiver(t)
	server := httptest.NewUnstartedServer(r)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, nil).Pair(t)}, MinVersion: tls.VersionTLS12,
		ClientCAs: authority.Pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are meant to
	server.StartTLS()
	t.Cleanup(server.Close)
	own := authority.IssueNamed(t, "gateway").Pair(t)
	var shown atomic.Pointer[[]tls.Certificate] // a dial goes on after its request was given up
	shown.Store(new([]tls.Certificate))
	sink, err := siem.NewWebhook(siem.WebhookOptions{HTTPOptions: siem.HTTPOptions{URL: server.URL, TLS: func() *tls.Config {
		return &tls.Config{RootCAs: authority.Pool, Certificates: *shown.Load(), MinVersion: tls.VersionTLS12}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, g.options(sink))
	g.record(t, 5)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	refused := l.Flush(ctx)
	if refused == nil || l.Offset() != 0 {
		t.Errorf("without a certificate: %v, and %d events count as sent", refused, l.Offset())
	}

	shown.Store(&[]tls.Certificate{own})
	within, stop := context.WithTimeout(t.Context(), testkit.Patience)
	defer stop()
	if err := l.Flush(within); err != nil {
		t.Fatalf("with a certificate: %v; without: %v", err, refused)
	}
	compare(t, "events that arrived", numbers(1, 5), r.taken())
}
