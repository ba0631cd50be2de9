package mcp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// ParamPrefix begins the names of the headers that repeat arguments of a tool.
const ParamPrefix = "Mcp-Param-"

// Mirror is an argument of a tool that clients repeat in a header (MCP 2026-07-28, "Custom Headers from Tool Parameters").
type Mirror struct {
	// Header is what follows ParamPrefix in the name of the header; its case says nothing.
	Header string
	// Path are the names that lead to the argument, the outermost first.
	Path []string
}

// maxMirrors is how much a tool may say about mirrors, in bytes of names.
const maxMirrors = 4096

// annotation is the member of a property's schema that names its header.
const annotation = "x-mcp-header"

// MayMirror reports whether a tools/list reply says of any tool which arguments are mirrored. It is quick, and overlooks a
// server that writes the word with escapes.
func MayMirror(message []byte) bool { return bytes.Contains(message, []byte(`"`+annotation+`"`)) }

// Mirrors calls found for each tool of a tools/list reply, with copies. A tool without mirrors has none, and so has one whose
// definition clients must reject: where a header is no token, is there twice, or belongs to an argument that is no string,
// integer or boolean. Annotations that properties alone do not lead to are overlooked.
func Mirrors(message []byte, found func(tool string, mirrors []Mirror)) error {
	s := acquireScanner(message)
	defer releaseScanner(s)
	if s.peek() != '{' {
		return fmt.Errorf("read tools: %w", errNotObject)
	}
	m := members{s: s, depth: 2}
	for m.next() {
		if string(m.key) == "result" {
			resultMirrors(s, m.depth, found)
		}
	}
	if s.err != nil {
		return fmt.Errorf("read tools: %w", s.err)
	}
	return nil
}

// resultMirrors reads the result of a tools/list reply.
func resultMirrors(s *scanner, depth int, found func(tool string, mirrors []Mirror)) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		if string(m.key) != "tools" || s.peek() != '[' {
			continue
		}
		tools := items{s: s, depth: m.depth + 1}
		for tools.next() {
			toolMirrors(s, tools.depth, found)
		}
	}
}

// toolMirrors reads one tool.
func toolMirrors(s *scanner, depth int, found func(tool string, mirrors []Mirror)) {
	var name []byte
	var r mirrorReader
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case "name":
			name = m.raw()
		case "inputSchema":
			r.schema(s, m.depth)
		}
	}
	if s.err == nil && len(name) > 0 && name[0] == '"' {
		found(String(name), r.mirrors())
	}
}

// mirrorReader reads the mirrors of one input schema.
type mirrorReader struct {
	path  []string // of the schema in hand
	found []Mirror
	size  int
	bad   bool // clients must reject the tool
}

func (r *mirrorReader) mirrors() []Mirror {
	if r.bad || r.size > maxMirrors {
		return nil
	}
	return r.found
}

// schema reads the schema of an object.
func (r *mirrorReader) schema(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		if string(m.key) == "properties" {
			r.properties(s, m.depth)
		}
	}
}

// properties reads the schemas of properties.
func (r *mirrorReader) properties(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		r.path = append(r.path, string(m.key))
		r.property(s, m.depth)
		r.path = r.path[:len(r.path)-1]
	}
}

// property reads the schema of one property.
func (r *mirrorReader) property(s *scanner, depth int) {
	var header, kind []byte
	m := members{s: s, depth: depth + 1}
	for m.next() {
		switch string(m.key) {
		case annotation:
			header = m.raw()
		case "type":
			kind = m.raw()
		case "properties":
			r.properties(s, m.depth)
		}
	}
	if s.err == nil && header != nil {
		r.add(String(header), String(kind))
	}
}

func (r *mirrorReader) add(header, kind string) {
	for i := range r.found {
		r.bad = r.bad || strings.EqualFold(r.found[i].Header, header)
	}
	r.bad = r.bad || !token(header) || kind != "string" && kind != "integer" && kind != "boolean"
	m := Mirror{Header: header, Path: make([]string, len(r.path))}
	copy(m.Path, r.path)
	r.size += len(header)
	for _, name := range m.Path {
		r.size += len(name)
	}
	if r.size <= maxMirrors {
		r.found = append(r.found, m)
	}
}

// token reports whether s may stand in the name of a header (RFC 9110, section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// Agrees reports whether the value of the header, as sent, says what the arguments of a call say, a raw JSON object or nil:
// text for text, true or false, and numbers by what they are worth, since 42.0 is 42. An argument that is absent or null must
// not have the header, and nothing else can be in one.
func (m *Mirror) Agrees(value, arguments []byte) bool {
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	text, ok := DecodeHeader(value)
	if !ok {
		return false
	}
	for _, name := range m.Path {
		if len(arguments) == 0 || arguments[0] != '{' {
			return false
		}
		arguments = Member(arguments, name)
	}
	return agrees(text, arguments)
}

// agrees compares the text of a header with a raw JSON value.
func agrees(header, argument []byte) bool {
	if len(argument) == 0 {
		return false
	}
	switch argument[0] {
	case '"':
		return bytes.Equal(header, text(argument))
	case 't', 'f':
		return bytes.Equal(header, argument)
	}
	want, ok := integer(argument)
	if !ok {
		return false
	}
	got, ok := integer(header)
	return ok && got == want
}

// integer reads a JSON number that is an integer which every reader of JSON can hold (RFC 8259, section 6).
func integer(raw []byte) (int64, bool) {
	const most = 1<<53 - 1
	s := acquireScanner(raw)
	defer releaseScanner(s)
	if s.i = s.number(0); s.end() != nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(Text(raw), 64)
	if err != nil || f < -most || f > most || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}
