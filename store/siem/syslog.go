package siem

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"sark/internal/audit"
)

// SyslogOptions say how a syslog server is reached.
type SyslogOptions struct {
	// Network is "tcp", "tls" or "udp". Required.
	Network string
	// Address is host:port. Required.
	Address string
	// TLS returns the configuration of the next connection; nil is the system's.
	TLS func() *tls.Config
	// Facility is that of RFC 5424, 0 to 23.
	Facility int
	// Hostname is the sender's; empty is the host's own.
	Hostname string
}

const (
	appName    = "sark"
	tailBytes  = 1 << 20               // of messages that are sent again when a connection breaks
	maxUDP     = 65_507                // of one datagram
	lookPeriod = 10 * time.Millisecond // in which it is seen whether the peer has closed
)

// Syslog sends events as messages of RFC 5424, over TCP or TLS with the octet counting of RFC 6587 and RFC 5425, or by UDP
// one a datagram (RFC 5426).
//
// Syslog has no acknowledgement: that a message was written says that it is on the way. What was written last on a connection
// is therefore kept, and sent again on the next one when the connection breaks, as far as this is seen. UDP promises nothing.
type Syslog struct {
	o    SyslogOptions
	conn net.Conn // nil: none
	tail [][]byte // written on conn last, oldest first
	held int      // bytes in tail
	owed bool     // tail was written on a connection that broke
}

// NewSyslog makes a sink for a server.
func NewSyslog(o SyslogOptions) (*Syslog, error) {
	if o.Address == "" || o.Network != "tcp" && o.Network != "tls" && o.Network != "udp" || o.Facility < 0 || o.Facility > 23 {
		return nil, errors.New("new syslog sink: options Network, Address or Facility are not right")
	}
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname()
	}
	o.Hostname = headerField(o.Hostname, 255)
	return &Syslog{o: o}, nil
}

// Send implements Sink.
func (s *Syslog) Send(ctx context.Context, events []Event) error {
	if s.conn != nil && s.broken() {
		s.drop()
	}
	if len(events) == 0 && !s.owed {
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("connect to syslog: %w", err)
	}
	if err := s.write(ctx, events); err != nil {
		s.drop()
		return fmt.Errorf("write to syslog: %w", err)
	}
	return nil
}

func (s *Syslog) write(ctx context.Context, events []Event) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.conn.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	if s.owed {
		for _, frame := range s.tail {
			if _, err := s.conn.Write(frame); err != nil {
				return err
			}
		}
		s.owed = false
	}
	for _, e := range events {
		frame := s.frame(e)
		if s.o.Network == "udp" && len(frame) > maxUDP {
			return fmt.Errorf("%w: %d bytes are too many for a datagram", ErrRejected, len(frame))
		}
		if _, err := s.conn.Write(frame); err != nil {
			return err
		}
		s.keep(frame)
	}
	return nil
}

// frame is a message as it is written.
func (s *Syslog) frame(e Event) []byte {
	message := fmt.Appendf(nil, `<%d>1 %s %s %s %d %s [meta sequenceId="%d"] `, s.o.Facility*8+syslogSeverity(e.Severity),
		e.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), s.o.Hostname, appName, os.Getpid(), headerField(e.EventType, 32), sequenceID(e.Seq))
	message = append(message, e.Body...)
	if s.o.Network == "udp" {
		return message
	}
	return append(fmt.Appendf(nil, "%d ", len(message)), message...)
}

// sequenceID is the number of a message, which begins anew after the highest (RFC 5424, section 7.3.1).
func sequenceID(seq int64) int64 {
	const highest = 2147483647
	return (seq-1)%highest + 1
}

// headerField makes a text one of printable ASCII without spaces, "-" when there is none.
func headerField(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// syslogSeverity is that of RFC 5424, section 6.2.1: Informational, Warning, Error, Critical.
func syslogSeverity(s audit.Severity) int {
	switch s {
	case audit.SeverityMedium:
		return 4
	case audit.SeverityHigh:
		return 3
	case audit.SeverityCritical:
		return 2
	case audit.SeverityLow:
	}
	return 6
}

// keep remembers what was written last.
func (s *Syslog) keep(frame []byte) {
	if s.o.Network == "udp" {
		return
	}
	s.tail, s.held = append(s.tail, frame), s.held+len(frame)
	for s.held > tailBytes && len(s.tail) > 1 {
		s.held -= len(s.tail[0])
		s.tail = s.tail[1:]
	}
}

func (s *Syslog) connect(ctx context.Context) (err error) {
	if s.conn != nil {
		return nil
	}
	if s.o.Network != "tls" {
		var d net.Dialer
		s.conn, err = d.DialContext(ctx, s.o.Network, s.o.Address)
		return err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.o.TLS != nil {
		c = s.o.TLS()
		c.NextProtos = nil
	}
	s.conn, err = dialTLS(ctx, "tcp", s.o.Address, c)
	return err
}

// broken looks whether the peer has closed. A syslog server sends nothing, so that there is nothing else to read.
func (s *Syslog) broken() bool {
	if s.o.Network == "udp" {
		return false
	}
	if s.conn.SetReadDeadline(time.Now().Add(lookPeriod)) != nil {
		return true
	}
	var b [256]byte
	_, err := s.conn.Read(b[:])
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

// drop gives up a connection; what was written on it last is owed.
func (s *Syslog) drop() {
	if s.conn == nil {
		return
	}
	_ = s.conn.Close() // it is broken
	s.conn, s.owed = nil, len(s.tail) > 0
}

// Close implements Sink.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}
