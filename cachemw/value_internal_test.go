package cachemw

// These tests use the codec itself: values reach it from a server that others can write to.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
)

// sound is an entry with everything in it.
func sound() stored {
	return stored{server: "github", entry: Entry{
		Class: "tools/list", Status: 200, ContentType: "application/json", Framed: true, Body: []byte(`{"tools":[]}`),
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

// TestValueCompressed: a body that gets shorter is stored so, signed or not, and read by a gateway that does not compress.
func TestValueCompressed(t *testing.T) {
	long := sound()
	long.entry.Body = []byte(`{"tools":[` + strings.Repeat(`{"name":"echo","description":"says what it hears"},`, 200) + `{}]}`)
	for name, key := range map[string][]byte{"unsigned": nil, "signed": make([]byte, 32)} {
		writer, reader := codec{max: 1 << 20, key: key, compress: true}, codec{max: 1 << 20, key: key}
		value, ok := writer.encode("name", long)
		if !ok || len(value) > len(long.entry.Body)/4 {
			t.Errorf("%s: %d bytes become %d, %v", name, len(long.entry.Body), len(value), ok)
		}
		got, why := reader.decode("name", value)
		if diff := cmp.Diff(long, got, cmp.AllowUnexported(stored{})); why != "" || diff != "" {
			t.Errorf("%s: %s %s", name, why, diff)
		}
	}
	for name, body := range map[string]string{"short": "{}", "random": string(randomBytes(4096))} {
		s := sound()
		s.entry.Body = []byte(body)
		plain, _ := codec{max: 1 << 20}.encode("name", s)
		if value, _ := (codec{max: 1 << 20, compress: true}).encode("name", s); !bytes.Equal(plain, value) {
			t.Errorf("%s: it is compressed", name)
		}
	}
}

// randomBytes returns bytes that no compression makes shorter.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// TestValueBomb has small values that would grow, and such as cannot be taken apart.
func TestValueBomb(t *testing.T) {
	zeros := s2.Encode(nil, make([]byte, 64<<20))
	for name, c := range map[string]struct {
		body []byte
		want rejection
	}{
		"64 MiB of zeros":      {zeros, rejectOversize},
		"one byte too long":    {s2.Encode(nil, make([]byte, 1<<20+1)), rejectOversize},
		"a length and no more": {binary.AppendUvarint(nil, 1000), rejectMalformed},
		"an endless length":    {bytes.Repeat([]byte{0xff}, 11), rejectMalformed},
		"empty":                {s2.Encode(nil, nil), rejectMalformed},
		"cut":                  {s2.Encode(nil, randomBytes(2000))[:1000], rejectMalformed},
	} {
		s := sound()
		s.entry.Body = c.body
		reader := codec{max: 1 << 20}
		value, ok := codec{max: 128 << 20}.encode("name", s)
		if !ok {
			t.Fatalf("%s: not encoded", name)
		}
		value[1] |= flagCompressed
		if _, why := reader.decode("name", value); why != c.want && !(len(value) > reader.max && why == rejectOversize) {
			t.Errorf("%s: %q, want %q", name, why, c.want)
		}
	}
}

// BenchmarkValue is what a gateway spends on a list of 10 KiB on its way to the shared cache and back.
func BenchmarkValue(b *testing.B) {
	var list strings.Builder
	for i := range 40 {
		fmt.Fprintf(&list, `{"name":"tool_%d","description":"Reads record %x of the desk and says what is in it.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"which record"},"limit":{"type":"integer","minimum":1,"maximum":%d}},"required":["id"]}},`, i, i*7919, i*13)
	}
	s := sound()
	s.entry.Body = []byte(`{"tools":[` + list.String() + `{}]}`)
	for name, c := range map[string]codec{"plain": {max: 1 << 20}, "compressed": {max: 1 << 20, compress: true}} {
		value, _ := c.encode("name", s)
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.encode("name", s)
			}
			b.ReportMetric(float64(len(value)), "value-bytes")
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.decode("name", value)
			}
		})
	}
}

// FuzzValue decodes what anybody may have written. What is taken can be replayed safely, and has no second spelling.
func FuzzValue(f *testing.F) {
	c := codec{max: 4096}
	value, _ := c.encode("name", sound())
	f.Add(value)
	long := sound()
	long.entry.Body = bytes.Repeat([]byte("0123456789"), 200)
	value, _ = codec{max: 4096, compress: true}.encode("name", long)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		s, why := c.decode("name", value)
		if why != "" {
			return
		}
		if !Storable(s.entry) || len(s.entry.Body) > c.max {
			t.Errorf("not storable: %+v", s.entry)
		}
		for _, h := range s.entry.Header {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Errorf("forges a header: %q", h)
			}
		}
		if value[1]&flagCompressed != 0 { // compression has many spellings
			return
		}
		again, ok := c.encode("name", s)
		if !ok || !bytes.Equal(again, value) {
			t.Errorf("%q becomes %q, %v", value, again, ok)
		}
	})
}
