package proxy

import (
	"testing"
)

// FuzzAnnouncement is inside the package because a header is read before anything of it can be seen from outside. It holds
// that a header is within its bounds, and that neither what follows nor how much of it has come changes how it is read.
func FuzzAnnouncement(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 203.0.113.7 10.0.0.1 50000 443\r\nGET", "PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY UNKNOWN what ever\r\n",
		signature + "\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\xc3\x50\x01\xbb", signature + "\x20\x00\x00\x00POST", "GET / HTTP/1.1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, client, err := parseAnnouncement(b)
		if err != nil || size == 0 {
			if client.IsValid() || size != 0 {
				t.Fatalf("%q is no header and names %v", b, client)
			}
			return
		}
		if size > len(b) || size > longestAnnouncement {
			t.Fatalf("header of %d bytes in %d", size, len(b))
		}
		for n := range size {
			if s, _, err := parseAnnouncement(b[:n]); s != 0 || err != nil {
				t.Fatalf("%d bytes of %q: %d, %v", n, b[:size], s, err)
			}
		}
		if s, c, err := parseAnnouncement(append(b[:size:size], "GET / HTTP/1.1"...)); s != size || c != client || err != nil {
			t.Fatalf("%q is read as %v, and with more behind it as %d %v %v", b[:size], client, s, c, err)
		}
	})
}
