package testkit

import "strings"

// Field is one header line.
type Field struct {
	Name, Value string
}

// Header is the header lines of a message in the order and spelling in which
// they were sent, repeated ones included.
type Header []Field

// Value returns the first value under the name, compared without regard to
// letter case, or the empty string.
func (h Header) Value(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns every value under the name in order.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Has says whether there is a line of that name.
func (h Header) Has(name string) bool { return len(h.Values(name)) > 0 }

// chunked says whether the message's body comes in chunks (RFC 9112 §7.1).
func (h Header) chunked() bool {
	return strings.EqualFold(h.Value("Transfer-Encoding"), "chunked")
}

// closes says whether the sender wants the connection closed after the message.
func (h Header) closes() bool {
	return strings.EqualFold(h.Value("Connection"), "close")
}
