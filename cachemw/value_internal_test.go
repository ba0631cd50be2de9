package cachemw

// These tests use the codec itself: values reach it from a server that others can write to.

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sound is an entry with everything in it.
func sound() stored {
	return stored{server: "github", entry: Entry{
		Status: 200, ContentType: "application/json", Framed: true, Body: []byte(`{"tools":[]}`),
		Header: []HeaderField{{"ETag", `"1"`}, {"Vary", "Accept"}},
		Stored: time.Date(2026, 11, 1, 12, 0, 0, 7, time.UTC), TTL: time.Minute, Scope: Public, Generation: 1 << 63,
	}}
}

func TestValueRoundTrip(t *testing.T) {
	for name, c := range map[string]codec{"unsigned": {max: 1000}, "signed": {max: 1000, key: make([]byte, 32)}} {
		value, ok := c.encode("name", sound())
		if !ok {
			t.Fatalf("%s: not encoded", name)
		}
		got, why := c.decode("name", value)
		if why != "" {
			t.Fatalf("%s: %s", name, why)
		}
		if diff := cmp.Diff(sound(), got, cmp.AllowUnexported(stored{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for n := range value {
			if _, why := c.decode("name", value[:n]); why == "" {
				t.Errorf("%s: the first %d of %d bytes are taken", name, n, len(value))
			}
		}
	}
}

// TestValueNotEncoded has what decode would refuse.
func TestValueNotEncoded(t *testing.T) {
	for name, change := range map[string]func(*stored){
		"error":           func(s *stored) { s.entry.Status = 500 },
		"status wraps":    func(s *stored) { s.entry.Status = 1<<16 + 200 },
		"too large":       func(s *stored) { s.entry.Body = make([]byte, 1000) },
		"line break":      func(s *stored) { s.entry.Header[0].Value = "a\r\nSet-Cookie: b" },
		"bad name":        func(s *stored) { s.entry.Header[0].Name = "a b" },
		"no name":         func(s *stored) { s.entry.Header[0].Name = "" },
		"cookie":          func(s *stored) { s.entry.Header[0].Name = "Set-Cookie" },
		"stream":          func(s *stored) { s.entry.ContentType = "text/event-stream" },
		"type with break": func(s *stored) { s.entry.ContentType = "a\nb" },
		"many headers":    func(s *stored) { s.entry.Header = make([]HeaderField, 33) },
		"no generation":   func(s *stored) { s.entry.Generation = 0 },
		"negative TTL":    func(s *stored) { s.entry.TTL = -1 },
		"no server":       func(s *stored) { s.server = "" },
		"endless TTL":     func(s *stored) { s.entry.TTL = 2 * maxTTL },
	} {
		s := sound()
		change(&s)
		if _, ok := (codec{max: 1000}).encode("name", s); ok {
			t.Errorf("%s: encoded", name)
		}
	}
}

// TestValueSignature changes each byte of a signed value, its name, and the key.
func TestValueSignature(t *testing.T) {
	c := codec{max: 1000, key: []byte(strings.Repeat("k", 32))}
	value, _ := c.encode("name", sound())
	for i := range value {
		forged := bytes.Clone(value)
		forged[i] ^= 1
		if _, why := c.decode("name", forged); why == "" {
			t.Errorf("byte %d can be changed", i)
		}
	}
	if _, why := c.decode("other", value); why != rejectSignature {
		t.Errorf("under another name: %q", why)
	}
	other := codec{max: 1000, key: []byte(strings.Repeat("o", 32))}
	if _, why := other.decode("name", value); why != rejectSignature {
		t.Errorf("with another key: %q", why)
	}
	unsigned, _ := codec{max: 1000}.encode("name", sound())
	if _, why := c.decode("name", unsigned); why != rejectSignature {
		t.Errorf("unsigned: %q", why)
	}
}

// FuzzValue decodes what anybody may have written. What is taken can be replayed safely, and has no second spelling.
func FuzzValue(f *testing.F) {
	c := codec{max: 4096}
	value, _ := c.encode("name", sound())
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		s, why := c.decode("name", value)
		if why != "" {
			return
		}
		if !Storable(s.entry) {
			t.Errorf("not storable: %+v", s.entry)
		}
		for _, h := range s.entry.Header {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Errorf("forges a header: %q", h)
			}
		}
		again, ok := c.encode("name", s)
		if !ok || !bytes.Equal(again, value) {
			t.Errorf("%q becomes %q, %v", value, again, ok)
		}
	})
}
