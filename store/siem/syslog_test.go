package siem_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"sark/store/siem"
)

// syslogServer takes connections one after the other, and loses what it has not read when told so.
type syslogServer struct {
	net.Listener

	mu       sync.Mutex
	messages []string
	conns    []net.Conn
	more     sync.Cond
	serving  sync.WaitGroup
}

func newSyslogServer(t *testing.T, c *tls.Config) *syslogServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		listener = tls.NewListener(listener, c)
	}
	s := &syslogServer{Listener: listener}
	s.more.L = &s.mu
	s.serving.Go(s.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		s.cut()
		s.serving.Wait()
	})
	return s
}

func (s *syslogServer) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.serving.Go(func() {
			readFrames(conn, func(message []byte) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.messages = append(s.messages, string(message))
				s.more.Broadcast()
			})
		})
	}
}

// cut ends all connections.
func (s *syslogServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

// await returns the numbers of the events when there are n different ones.
func (s *syslogServer) await(n int) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var list []int64
		for _, m := range s.messages {
			list = append(list, sequences([]byte(m[len(header.FindString(m)):]))...)
		}
		if list = once(list); len(list) >= n {
			return list
		}
		s.more.Wait()
	}
}

// header is that of RFC 5424 in the form of ours.
var header = regexp.MustCompile(`^<1(08|10)>1 2026-11-23T10:0\d:\d\d\.\d{6}Z \S+ sark \d+ [a-z_]+ \[meta sequenceId="\d+"\] `)

// TestSyslog sends over TLS and over TCP, and sends again what was on its way when the connection broke.
func TestSyslog(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(certificate.Certificate())
	for network, c := range map[string]*tls.Config{"tls": {Certificates: certificate.TLS.Certificates}, "tcp": nil} {
		t.Run(network, func(t *testing.T) {
			g, s := newGateway(t), newSyslogServer(t, c)
			sink, err := siem.NewSyslog(siem.SyslogOptions{
				Network: network, Address: s.Addr().String(), Facility: 13,
				TLS: func() *tls.Config { return &tls.Config{RootCAs: authorities, ServerName: "example.com"} },
			})
			if err != nil {
				t.Fatal(err)
			}
			l := open(t, g.options(sink))
			g.record(t, 30)
			flush(t, l)
			compare(t, "events that arrived", numbers(1, 30), s.await(30))

			s.cut()
			g.record(t, 30)
			flush(t, l)
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { l.Run(ctx) }) // sees what was lost on the way
			compare(t, "events that arrived after the break", numbers(1, 60), s.await(60))
			cancel()
			running.Wait()
		})
	}
}

// TestSyslogStranger is not sent anything: the server's certificate comes from nobody we know.
func TestSyslogStranger(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	g, s := newGateway(t), newSyslogServer(t, &tls.Config{Certificates: certificate.TLS.Certificates})
	sink, err := siem.NewSyslog(siem.SyslogOptions{Network: "tls", Address: s.Addr().String(), Facility: 13})
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, g.options(sink))
	g.record(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := l.Flush(ctx); err == nil {
		t.Error("sent to a stranger")
	}
}
