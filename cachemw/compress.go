package cachemw

import "github.com/klauspost/compress/s2"

// minCompressed is the shortest body in bytes that is compressed: a shorter one fits into a packet or two as it is.
const minCompressed = 1 << 10

// Bodies are compressed with S2 (klauspost/compress, BSD), which fasthttp brings along: a block of it names its length
// first, so that what a hostile value would grow to is known before any memory is taken, and it keeps no state between
// requests.

// deflate returns a body in compressed form, and false where that is off or not worth it.
func (c codec) deflate(body []byte) ([]byte, bool) {
	if !c.compress || len(body) < minCompressed {
		return nil, false
	}
	short := s2.Encode(nil, body)
	return short, len(short) < len(body)-len(body)/8
}

// inflate returns the body of a compressed one, if it is no longer than a value may be.
func (c codec) inflate(short []byte) ([]byte, rejection) {
	n, err := s2.DecodedLen(short)
	switch {
	case err != nil || n == 0:
		return nil, rejectMalformed
	case n > c.max:
		return nil, rejectOversize
	}
	body, err := s2.Decode(make([]byte, n), short)
	if err != nil {
		return nil, rejectMalformed
	}
	return body, ""
}
