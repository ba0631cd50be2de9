package siem

import (
	"bytes"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"sark/internal/audit"
)

// FuzzSyslogFrame frames events of any content; it is of this package because frames leave it on sockets only. A receiver that
// counts octets finds exactly one message, whose header has the seven fields of RFC 5424 and the event behind them.
func FuzzSyslogFrame(f *testing.F) {
	f.Add("gw-1", "tool_invoked", "low", int64(1), []byte(`{"seq":1}`))
	f.Add("", "", "", int64(0), []byte(nil))
	f.Add("a b\n<13>1 - forged", "x] [y\x00", "critical", int64(2147483648), []byte("12 <1>1\n"))
	f.Add("höst", "ereignis ü", "high", int64(9223372036854775807), []byte{0xff, 0xfe})
	f.Fuzz(func(t *testing.T, host, eventType, severity string, seq int64, body []byte) {
		if seq < 1 {
			return // numbers begin at 1
		}
		s, err := NewSyslog(SyslogOptions{Network: "tcp", Address: "127.0.0.1:1", Facility: 13, Hostname: host})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		e := Event{Event: &audit.Event{Time: at, Seq: seq, EventType: eventType, Severity: audit.Severity(severity)}, Body: body}

		size, message, _ := bytes.Cut(s.frame(e), []byte(" "))

		if n, err := strconv.Atoi(string(size)); err != nil || n != len(message) {
			t.Fatalf("the frame says %s octets and has %d", size, len(message))
		}
		head, found := bytes.CutSuffix(message, append([]byte("] "), body...))
		if !found {
			t.Fatalf("the body is not at the end of %q", message)
		}
		fields := bytes.SplitN(head, []byte(" "), 8)
		if len(fields) != 8 || bytes.ContainsAny(head, "\r\n\x00") || !utf8.Valid(head) {
			t.Fatalf("%q is no header", head)
		}
		if number, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimPrefix(fields[7], []byte(`sequenceId="`)), []byte(`"`))), 10, 64); err != nil || number < 1 || number > 2147483647 {
			t.Fatalf("sequenceId of %q is %d, %v", head, number, err)
		}
	})
}
