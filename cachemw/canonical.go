package cachemw

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

const (
	// maxCanonical is the longest value, in bytes, that is brought into canonical form: each level of nesting reads its
	// part again.
	maxCanonical = 64 << 10
	// maxNesting is how deep such a value may be nested.
	maxNesting = 32
)

// volatileMeta reports whether a member of params._meta, named by its decoded key, cannot change a result: it labels the
// request for progress, tracing or display. Client capabilities and keys that are not known can, and stay. The names are
// those of MCP revision 2026-07-28, basic/index, and of its OpenTelemetry keys.
func volatileMeta(key []byte) bool {
	switch string(key) {
	case "progressToken", "traceparent", "tracestate", "baggage",
		"io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/logLevel":
		return true
	}
	return false
}

// canonicaliser brings JSON values into canonical form: members sorted by key, no insignificant white space, strings in one
// spelling, numbers as they are. The form is JSON too.
//
// It is not that of audit.AppendCanonical, and must not become it. A digest of the trail says that two calls asked for the
// same, whoever wrote the numbers: 1, 1.0 and 1e0 are one there. A key says that two answers are interchangeable, and a server
// may answer 1 and 1.0 differently, or see more digits than a float has; what it costs to keep them apart is a miss. Here
// metadata that cannot change a result is left out, which the trail must not do; and what has no form counts byte by byte
// here, where the trail refuses it.
type canonicaliser struct {
	members []member // a stack: each object that is being written sorts its members at the top
}

// member is one member of an object: its canonical key and its raw value.
type member struct{ key, value []byte }

// place says where an object stands, as far as it matters to what is left out of it.
type place uint8

const (
	elsewhere place = iota
	inParams        // the params themselves
	inMeta          // the _meta of the params
)

// append appends the canonical form of a JSON value. For params it leaves out volatile metadata, and absent params are the
// same as empty ones. It reports false, having appended nothing of use, for a value that is malformed, has a duplicate key
// or a lone surrogate, or exceeds the limits.
func (c *canonicaliser) append(dst, value []byte, at place) ([]byte, bool) {
	if len(value) > maxCanonical {
		return dst, false
	}
	value = bytes.Trim(value, jsonSpace)
	if len(value) == 0 {
		if at == inParams {
			return append(dst, "{}"...), true
		}
		return dst, true
	}
	if end, ok := skipValue(value, 0, maxNesting); !ok || end != len(value) {
		return dst, false
	}
	return c.value(dst, value, at)
}

// value appends a well-formed value without surrounding space. Only of objects it matters where they stand.
func (c *canonicaliser) value(dst, value []byte, at place) ([]byte, bool) {
	switch value[0] {
	case '{':
		return c.object(dst, value, at)
	case '[':
		return c.array(dst, value)
	case '"':
		return appendString(dst, value)
	}
	return append(dst, value...), true
}

// array is value for arrays.
func (c *canonicaliser) array(dst, value []byte) ([]byte, bool) {
	dst = append(dst, '[')
	for it := elements(value); it.next(); {
		if it.index > 0 {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = c.value(dst, it.value, elsewhere); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// object is value for objects.
func (c *canonicaliser) object(dst, value []byte, at place) ([]byte, bool) {
	bottom := len(c.members)
	defer func() { c.release(bottom) }()
	members, ok := c.collect(value, at)
	if !ok {
		return dst, false
	}
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, m.key...), ':')
		if dst, ok = c.value(dst, m.value, inside(at, m.key)); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

// inside returns the place of the member with this key of an object that stands at the given place.
func inside(at place, key []byte) place {
	if at == inParams && string(key) == `"_meta"` {
		return inMeta
	}
	return elsewhere
}

// collect pushes the members of an object that count, and returns them sorted by key. It reports false when two have the
// same key.
func (c *canonicaliser) collect(object []byte, at place) ([]member, bool) {
	bottom := len(c.members)
	for it := elements(object); it.next(); {
		key, ok := canonicalKey(it.key)
		if !ok {
			return nil, false
		}
		if at == inMeta && volatileMeta(key[1:len(key)-1]) {
			continue
		}
		c.members = append(c.members, member{key, it.value})
	}
	members := c.members[bottom:]
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	for i := 1; i < len(members); i++ {
		if bytes.Equal(members[i-1].key, members[i].key) {
			return nil, false
		}
	}
	return members, true
}

// release pops the members above bottom and drops what they point to.
func (c *canonicaliser) release(bottom int) {
	clear(c.members[bottom:])
	c.members = c.members[:bottom]
}

// canonicalKey returns the canonical spelling of a key, which is the key itself when it holds no escape.
func canonicalKey(key []byte) ([]byte, bool) {
	if bytes.IndexByte(key, '\\') < 0 {
		return key, utf8.Valid(key)
	}
	return appendString(make([]byte, 0, len(key)), key)
}
