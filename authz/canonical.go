package authz

import "bytes"

// Bounds of JSON that can become part of a key. What exceeds them is not remembered.
const (
	maxDepth    = 16 // of nesting, in what policies read
	maxMembers  = 64 // of one object
	maxInflated = 4  // how much longer than in a key a value may be as written, with white space and escapes
)

// canonicalizer encodes JSON values into a key, from the bytes that the caller sent. It writes equal values alike, in
// whatever order their members come and however their texts are escaped. Numbers keep their digits: 1 and 1.0 are equal in
// Rego, and yet a policy can tell them apart, by printing them or by asking an array for an element.
//
// It reads valid JSON. Of anything else it either sees that it is not, or encodes it so that other bytes give another key.
type canonicalizer struct {
	out     []byte
	limit   int      // of out, in bytes
	members []member // of all objects that are open
	spare   []byte
	located located
}

// member is where a member of an object stands in the output, and its key within it.
type member struct{ from, to, key, keyEnd int }

// part encodes a whole JSON text; absent when it is empty.
func (c *canonicalizer) part(raw []byte) bool {
	if len(raw) == 0 {
		c.out = append(c.out, tagAbsent)
		return true
	}
	if len(raw) > maxInflated*c.limit {
		return false
	}
	c.members = c.members[:0]
	end, ok := c.value(raw, 0, 0)
	return ok && space(raw, end) == len(raw)
}

// value encodes the value at raw[i:] and returns where it ends; false when it is no JSON, or exceeds a bound.
func (c *canonicalizer) value(raw []byte, i, depth int) (int, bool) {
	i = space(raw, i)
	if i >= len(raw) || depth > maxDepth || len(c.out) > c.limit {
		return i, false
	}
	switch raw[i] {
	case '{':
		return c.object(raw, i+1, depth)
	case '[':
		return c.array(raw, i+1, depth)
	case '"':
		c.out = append(c.out, tagString)
		return c.text(raw, i+1)
	case 't':
		return c.literal(raw, i, "true", tagTrue)
	case 'f':
		return c.literal(raw, i, "false", tagFalse)
	case 'n':
		return c.literal(raw, i, "null", tagNull)
	}
	return c.number(raw, i)
}

func (c *canonicalizer) literal(raw []byte, i int, word string, tag byte) (int, bool) {
	end := i + len(word)
	if end > len(raw) || string(raw[i:end]) != word {
		return i, false
	}
	c.out = append(c.out, tag)
	return end, true
}

func (c *canonicalizer) number(raw []byte, i int) (int, bool) {
	end, ok := number(raw, i)
	if !ok {
		return i, false
	}
	c.out = append(appendLength(append(c.out, tagNumber), end-i), raw[i:end]...)
	return end, true
}

func (c *canonicalizer) array(raw []byte, i, depth int) (int, bool) {
	c.out = append(c.out, tagArray)
	i = space(raw, i)
	if i < len(raw) && raw[i] == ']' {
		c.out = append(c.out, tagEnd)
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = c.value(raw, i, depth+1); !ok {
			return i, false
		}
		i = space(raw, i)
		switch {
		case i < len(raw) && raw[i] == ',':
			i++
		case i < len(raw) && raw[i] == ']':
			c.out = append(c.out, tagEnd)
			return i + 1, true
		default:
			return i, false
		}
	}
}

// object encodes members as they come and sorts them afterwards. Two members of one name are no key: which of them counts
// is not for the memo to say.
func (c *canonicalizer) object(raw []byte, i, depth int) (int, bool) {
	c.out = append(c.out, tagObject)
	first, start := len(c.members), len(c.out)
	i = space(raw, i)
	if i < len(raw) && raw[i] == '}' {
		c.out = append(c.out, tagEnd)
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = c.member(raw, i, depth); !ok || len(c.members)-first > maxMembers {
			return i, false
		}
		i = space(raw, i)
		switch {
		case i < len(raw) && raw[i] == ',':
			i++
		case i < len(raw) && raw[i] == '}':
			ok := c.sort(first, start)
			c.out, c.members = append(c.out, tagEnd), c.members[:first]
			return i + 1, ok
		default:
			return i, false
		}
	}
}

func (c *canonicalizer) member(raw []byte, i, depth int) (int, bool) {
	i = space(raw, i)
	if i >= len(raw) || raw[i] != '"' {
		return i, false
	}
	m := member{from: len(c.out)}
	i, ok := c.text(raw, i+1)
	if !ok {
		return i, false
	}
	m.keyEnd = len(c.out)
	m.key = m.from + 1
	if c.out[m.from] == longLength {
		m.key += 4
	}
	i = space(raw, i)
	if i >= len(raw) || raw[i] != ':' {
		return i, false
	}
	if i, ok = c.value(raw, i+1, depth+1); !ok {
		return i, false
	}
	m.to = len(c.out)
	c.members = append(c.members, m)
	return i, true
}

// sort puts the members from first on, which begin at start of the output, into the order of their keys; false when two
// keys are equal. It is an insertion sort because most objects have a handful of members, often in order.
func (c *canonicalizer) sort(first, start int) bool {
	members, moved := c.members[first:], false
	for i := 1; i < len(members); i++ {
		for j := i; j > 0; j-- {
			order := bytes.Compare(c.key(members[j-1]), c.key(members[j]))
			if order == 0 {
				return false
			}
			if order < 0 {
				break
			}
			members[j-1], members[j] = members[j], members[j-1]
			moved = true
		}
	}
	if !moved {
		return true
	}
	c.spare = append(c.spare[:0], c.out[start:]...)
	c.out = c.out[:start]
	for _, m := range members {
		c.out = append(c.out, c.spare[m.from-start:m.to-start]...)
	}
	return true
}

func (c *canonicalizer) key(m member) []byte { return c.out[m.key:m.keyEnd] }

// text encodes the text whose opening quote is before raw[i], without its escapes.
func (c *canonicalizer) text(raw []byte, i int) (int, bool) {
	end, escaped, ok := text(raw, i)
	if !ok {
		return i, false
	}
	if n := end - 1 - i; !escaped && n < longLength-1 {
		c.out = append(append(c.out, byte(n+1)), raw[i:end-1]...) //nolint:gosec // below 255; see appendLength
		return end, true
	}
	if !escaped {
		c.out = append(appendLength(c.out, end-1-i), raw[i:end-1]...)
		return end, true
	}
	c.spare, ok = appendUnescaped(c.spare[:0], raw[i:end-1])
	c.out = append(appendLength(c.out, len(c.spare)), c.spare...)
	return end, ok
}
