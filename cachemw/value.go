package cachemw

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
)

const (
	// valueVersion is the first byte of every value. It changes when their layout does.
	valueVersion = 3
	// valueFixed is how many bytes come before the first part: version, flags, status, generation, stored, lifetime, kept, cost.
	valueFixed = 1 + 1 + 2 + 8 + 8 + 8 + 8 + 8
	// maxNameBytes bounds the name of a server and a media type in a value.
	maxNameBytes = 1 << 10
	// maxHeaderFields and maxHeaderBytes bound the headers of a value.
	maxHeaderFields = 32
	maxHeaderBytes  = 8 << 10
)

// Flags of a value. A value with any other bit set is refused.
const (
	flagFramed = 1 << iota
	flagPublic
	flagCompressed
)

// rejection says why a value is refused; it is a label of the metric. Empty accepts.
type rejection string

const (
	rejectOversize   rejection = "oversize"
	rejectVersion    rejection = "version"
	rejectMalformed  rejection = "malformed"
	rejectSignature  rejection = "signature"
	rejectUnstorable rejection = "unstorable"
	rejectType       rejection = "type"
)

// codec turns entries into values of a shared backend and back. Whoever can write to that backend can write values, so
// nothing in one is trusted: every length is bounded, every byte is accounted for, and with a key the value must be signed
// for the name it was found under.
//
//	version flags status(2) generation(8) stored(8) lifetime(8) kept(8) cost(8)
//	server, class, content type, number of headers, {name, value}..., body: each with its length before it (4)
//	signature (32, with a key only)
type codec struct {
	key []byte
	// max is the longest value in bytes, and the longest body that a compressed one may hold.
	max int
	// compress makes bodies shorter where that is worth it. What others have compressed is read all the same.
	compress bool
}

// stored is what a value holds: an entry, and the server whose generation it belongs to.
type stored struct {
	server string
	entry  Entry
	// compressed says that the body of the entry still is.
	compressed bool
}

// encode returns the value of an entry that is stored under name. It reports false for one that decode would refuse.
func (c codec) encode(name string, s stored) ([]byte, bool) {
	e := s.entry
	size := valueFixed + 5*4 + len(s.server) + len(e.Class) + len(e.ContentType) + len(e.Body) + sha256.Size
	for _, h := range e.Header {
		size += 2*4 + len(h.Name) + len(h.Value)
	}
	if size > c.max || !Storable(e) {
		return nil, false
	}
	flags := flagsOf(e)
	if body, shorter := c.deflate(e.Body); shorter {
		e.Body, flags = body, flags|flagCompressed
	}
	v := make([]byte, 0, size)
	v = append(v, valueVersion, flags)
	v = binary.BigEndian.AppendUint16(v, uint16(e.Status)) //nolint:gosec // it is storable: 200
	v = binary.BigEndian.AppendUint64(v, e.Generation)
	v = binary.BigEndian.AppendUint64(v, uint64(e.Stored.UnixNano()))
	v = binary.BigEndian.AppendUint64(v, uint64(e.TTL))  //nolint:gosec // the same bits come back
	v = binary.BigEndian.AppendUint64(v, uint64(e.Keep)) //nolint:gosec // as above
	v = binary.BigEndian.AppendUint64(v, uint64(e.Cost)) //nolint:gosec // as above
	v = appendSized(v, s.server)
	v = appendSized(v, e.Class)
	v = appendSized(v, e.ContentType)
	v = binary.BigEndian.AppendUint32(v, uint32(len(e.Header))) //nolint:gosec // bounded by the size
	for _, h := range e.Header {
		v = appendSized(appendSized(v, h.Name), h.Value)
	}
	v = appendSized(v, e.Body)
	if _, why := parseSound(v); why != "" {
		return nil, false
	}
	if len(c.key) > 0 {
		v = append(v, c.signature(name, v)...)
	}
	return v, true
}

// decode reads a value that was found under name. The entry's body is part of value, which the caller gives away.
func (c codec) decode(name string, value []byte) (stored, rejection) {
	if len(value) > c.max {
		return stored{}, rejectOversize
	}
	if len(value) < valueFixed || value[0] != valueVersion {
		return stored{}, rejectVersion
	}
	if len(c.key) > 0 {
		end := len(value) - sha256.Size
		if end < valueFixed || !hmac.Equal(value[end:], c.signature(name, value[:end])) {
			return stored{}, rejectSignature
		}
		value = value[:end]
	}
	s, why := parseSound(value)
	if why == "" && s.compressed {
		s.entry.Body, why = c.inflate(s.entry.Body)
		s.compressed = false
	}
	return s, why
}

// signature is the HMAC-SHA-256 of a value under its name, so that a value which is moved to another name is refused.
func (c codec) signature(name string, value []byte) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write(appendSized(nil, name))
	mac.Write(value)
	return mac.Sum(nil)
}

// flagsOf returns the flags of an entry.
func flagsOf(e Entry) byte {
	var flags byte
	if e.Framed {
		flags |= flagFramed
	}
	if e.Scope == Public {
		flags |= flagPublic
	}
	return flags
}

// parseSound reads a value without its signature, and refuses what nobody would have stored.
func parseSound(value []byte) (stored, rejection) {
	s, ok := parseValue(value)
	if !ok {
		return stored{}, rejectMalformed
	}
	e := s.entry
	bad := s.server == "" || !Storable(e) || e.TTL > maxTTL || e.Generation == 0
	if bad || e.Keep < 0 || e.Keep > 2*maxTTL || e.Cost < 0 || e.Cost > maxTTL {
		return stored{}, rejectUnstorable
	}
	return s, ""
}

// parseValue reads a value whose version and signature are right.
func parseValue(value []byte) (s stored, ok bool) {
	flags := value[1]
	if flags&^(flagFramed|flagPublic|flagCompressed) != 0 {
		return s, false
	}
	s.compressed = flags&flagCompressed != 0
	e := &s.entry
	e.Framed, e.Scope = flags&flagFramed != 0, Private
	if flags&flagPublic != 0 {
		e.Scope = Public
	}
	e.Status = int(binary.BigEndian.Uint16(value[2:]))
	e.Generation = binary.BigEndian.Uint64(value[4:])
	e.Stored = time.Unix(0, int64(binary.BigEndian.Uint64(value[12:]))).UTC() //nolint:gosec // any time will do
	e.TTL = time.Duration(binary.BigEndian.Uint64(value[20:]))                //nolint:gosec // Storable refuses negative ones
	e.Keep = time.Duration(binary.BigEndian.Uint64(value[28:]))               //nolint:gosec // parseSound refuses negative ones
	e.Cost = time.Duration(binary.BigEndian.Uint64(value[36:]))               //nolint:gosec // as above
	p := parts{rest: value[valueFixed:]}
	s.server = p.text(maxNameBytes)
	e.Class = p.text(maxNameBytes)
	e.ContentType = p.text(maxNameBytes)
	e.Header = p.header()
	e.Body = p.next(len(p.rest))
	return s, !p.bad && len(p.rest) == 0
}

// parts reads the parts of a value one by one. After a bad one there are none.
type parts struct {
	rest []byte
	bad  bool
}

// number reads a length.
func (p *parts) number() int {
	if p.bad || len(p.rest) < 4 {
		p.bad = true
		return 0
	}
	n := binary.BigEndian.Uint32(p.rest)
	p.rest = p.rest[4:]
	return int(n)
}

// next reads a part of at most limit bytes.
func (p *parts) next(limit int) []byte {
	n := p.number()
	if p.bad || n > limit || n > len(p.rest) {
		p.bad = true
		return nil
	}
	part := p.rest[:n:n]
	p.rest = p.rest[n:]
	return part
}

// text reads a part that ends up in a header or a name: one with control characters could forge further headers.
func (p *parts) text(limit int) string {
	part := p.next(limit)
	for _, c := range part {
		if c < ' ' || c == 0x7f {
			p.bad = true
			return ""
		}
	}
	return string(part)
}

// header reads the headers; nil when there are none.
func (p *parts) header() []HeaderField {
	n := p.number()
	if n == 0 || p.bad {
		return nil
	}
	if n > maxHeaderFields {
		p.bad = true
		return nil
	}
	fields := make([]HeaderField, n)
	left := maxHeaderBytes
	for i := range fields {
		name := p.text(left)
		value := p.text(left - len(name))
		left -= len(name) + len(value)
		p.bad = p.bad || !isToken(name)
		fields[i] = HeaderField{name, value}
	}
	return fields
}

// isToken reports whether s may be the name of a header (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !isDigit(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// appendSized appends the length of part in four bytes, and part.
func appendSized[T string | []byte](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part))) //nolint:gosec // bounded by the size of a value
	return append(dst, part...)
}
