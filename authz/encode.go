package authz

import (
	"encoding/binary"
	"net/netip"
)

// The encoding of keys. Every value says where it ends, so that a sequence of values can be read in one way only. That two
// values have the same encoding exactly when policies cannot tell them apart is what the memo stands on.
const (
	tagAbsent byte = iota // also the length of a text or a list that is absent
	tagNull
	tagFalse
	tagTrue
	tagNumber // followed by a text: the digits as they were written
	tagString // followed by a text
	tagArray  // followed by values, up to tagEnd
	tagObject // followed by keys (as strings) and values, sorted by key, up to tagEnd
	tagEnd
)

// longLength announces a length of four bytes; shorter ones are one byte: the length and one, for 0 is what is absent.
const longLength = 0xff

func appendLength(b []byte, n int) []byte {
	if n < longLength-1 {
		return append(b, byte(n+1)) //nolint:gosec // below 255
	}
	return binary.BigEndian.AppendUint32(append(b, longLength), uint32(n)) //nolint:gosec // keys are far shorter
}

func appendText(b []byte, s string) []byte {
	if len(s) < longLength-1 {
		return append(append(b, byte(len(s)+1)), s...) //nolint:gosec // below 255
	}
	return append(appendLength(b, len(s)), s...)
}

// appendTextIf is appendText for a text that is there on a condition.
func appendTextIf(b []byte, present bool, s string) []byte {
	if !present {
		return append(b, tagAbsent)
	}
	return appendText(b, s)
}

func appendList(b []byte, items []string) []byte {
	b = appendLength(b, len(items))
	for _, s := range items {
		b = appendText(b, s)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, tagTrue)
	}
	return append(b, tagFalse)
}

// appendAddress encodes an address as policies see it: an IPv4 address within IPv6 is an IPv4 address.
func appendAddress(b []byte, a netip.Addr) []byte {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return append(b, tagAbsent)
	case a.Is4():
		ip := a.As4()
		return append(append(b, 4), ip[:]...)
	}
	ip := a.As16()
	return appendText(append(append(b, 6), ip[:]...), a.Zone())
}
