package mcp

import (
	"bytes"
	"strings"
)

// outline follows an event that is too large to be held, piece by piece, and tells whether its message could be anything
// but an answer: a reader of JSON who is less strict than we are, about the case of keys or about what is an object, must
// not find a request in it.
type outline struct {
	line  lineState
	name  [len(dataField)]byte // of the field, as far as it matters
	named int

	depth  int
	text   bool // inside a string
	escape bool // the next byte is escaped
	key    [len(methodKey)]byte
	length int  // of the last string at depth 1
	odd    bool // that string holds an escape
	begun  bool // the message has
	asks   bool

	pairs      bool // a notification may pass: only a method together with an id asks
	method, id bool // the object in hand has
}

const (
	dataField = "data"
	methodKey = "method"
	idKey     = "id"
)

// lineState is where in a line of the event stream the outline is.
type lineState uint8

const (
	inName  lineState = iota // of the field
	atValue                  // behind the colon
	inValue                  // of a data field
	inOther                  // of any other field, or a comment
)

// feed reads on and reports whether the message can only be an answer so far.
func (o *outline) feed(raw []byte) bool {
	for _, c := range raw {
		if c == '\n' || c == '\r' {
			o.line, o.named = inName, 0
			o.read(' ')
			continue
		}
		switch o.line {
		case inName:
			o.field(c)
		case atValue:
			o.line = inValue
			if c != ' ' {
				o.read(c)
			}
		case inValue:
			o.read(c)
		case inOther:
			o.asks = o.asks || endsLines(c)
		}
		if o.asks {
			return false
		}
	}
	return true
}

// field reads one byte of a field's name.
func (o *outline) field(c byte) {
	switch {
	case c != ':':
		o.asks = o.asks || endsLines(c) || oddName([]byte{c})
		if o.named < len(o.name) {
			o.name[o.named] = c
		}
		o.named++
	case o.named == len(dataField) && string(o.name[:]) == dataField:
		o.line = atValue
	default:
		o.line = inOther
	}
}

// endsLines reports whether a byte may be part of what ends a line to some readers only; see oddText.
func endsLines(c byte) bool {
	return c == '\v' || c == '\f' || 0x1c <= c && c <= 0x1e || c == 0x85 || c == 0xa8 || c == 0xa9
}

// Answer follows a reply that is JSON and no event stream, as its bytes come, and tells whether a reader could find a request
// of the server in it: an object, alone, in an array or after another one, that has both a method and an id. The zero value
// is ready.
type Answer struct {
	outline outline
	begun   bool
	other   bool // it is no JSON, and nobody finds a message in it
}

// Feed reads on and reports whether there is no request so far.
func (a *Answer) Feed(body []byte) bool {
	o := &a.outline
	o.pairs = true
	for i := 0; i < len(body) && !a.other && !o.asks; i++ {
		if o.text && !o.escape {
			end := plain(body, i) // skips what needs no look
			o.letters(body[i:end])
			if i = end; i == len(body) {
				break
			}
			o.string(body[i])
			continue
		}
		switch c := body[i]; {
		case c == '\n', c == '\r', c == ' ', c == '\t', !a.begun && strings.IndexByte(byteOrderMark, c) >= 0: // readers skip a mark
			if o.escape {
				o.string(c)
			}
		case !a.begun && c != '{' && c != '[':
			a.other = true
		case o.depth == 0 && (c == '[' || c == ',' || c == ']'):
			a.begun = true
		default:
			a.begun = true
			o.read(c)
		}
	}
	return !o.asks
}

// Asks reports whether a reader could find a request of the server in a reply that is JSON and no event stream; see Answer.
func Asks(body []byte) bool {
	if !ContainsKey(body, methodKey) && !bytes.Contains(body, []byte(`\u`)) {
		return false
	}
	if r, err := ParseReply(body); err == nil {
		return r.Method != "" && r.ID != nil
	}
	var a Answer
	return !a.Feed(body)
}

// ContainsKey reports whether b holds a string that begins with a word, given in lower case letters of ASCII, in any case: as a
// key does that is spelled without escapes. It takes eight bytes at a time, since it looks at most replies.
func ContainsKey(b []byte, word string) bool {
	first, i := uint64(word[0])*ones, 0
	for ; i+9 <= len(b); i += 8 {
		miss := (full(b, i) ^ '"'*ones) | ((full(b, i+1) | ' '*ones) ^ first) // 0 where a quote stands before the first letter
		for marks := (miss - ones) &^ miss & highs; marks != 0; marks &= marks - 1 {
			if at := i + lowest(marks); b[at] == '"' && beginsFold(b[at+1:], word) { // marks above the lowest may be wrong
				return true
			}
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' && beginsFold(b[i+1:], word) {
			return true
		}
	}
	return false
}

// beginsFold reports whether b begins with a word, in any case.
func beginsFold(b []byte, word string) bool { return len(b) >= len(word) && equalFold(b, word) }

// ContainsFold reports whether b holds a word, given in lower case letters of ASCII, in any case.
func ContainsFold(b []byte, word string) bool {
	return containsFold(b, word[0], word) || containsFold(b, word[0]&^0x20, word)
}

// containsFold is ContainsFold for words that begin with one letter, in one case.
func containsFold(b []byte, first byte, word string) bool {
	for {
		i := bytes.IndexByte(b, first)
		if i < 0 || len(b)-i < len(word) {
			return false
		}
		if b = b[i:]; equalFold(b, word) {
			return true
		}
		b = b[1:]
	}
}

// read reads one byte of the message.
func (o *outline) read(c byte) {
	if o.text {
		o.string(c)
		return
	}
	switch c {
	case ' ', '\t':
	case '"':
		o.text, o.length, o.odd = true, 0, false
	case '{', '[':
		if o.depth++; o.depth == 1 {
			o.method, o.id = false, false
		}
	case '}', ']':
		o.depth--
	case ':':
		if o.depth == 1 {
			o.member()
		}
	}
	if c != ' ' && c != '\t' {
		o.asks = o.asks || !o.begun && c != '{' || o.begun && o.depth <= 0 && c != '}'
		o.begun = true
	}
}

// member reads the key of a member of the message.
func (o *outline) member() {
	o.method = o.method || o.length == len(methodKey) && equalFold(o.key[:], methodKey)
	o.id = o.id || o.length == len(idKey) && equalFold(o.key[:], idKey)
	o.asks = o.asks || o.odd || o.method && (o.id || !o.pairs)
}

// string reads one byte inside a string, and its end.
func (o *outline) string(c byte) {
	switch {
	case o.escape:
		o.escape = false
	case c == '\\':
		o.escape, o.odd = true, true
	case c == '"':
		o.text = false
	default:
		if o.length < len(o.key) {
			o.key[o.length] = c
		}
		o.length++
	}
}

// letters reads bytes inside a string that have no other meaning there.
func (o *outline) letters(b []byte) {
	if o.length < len(o.key) {
		copy(o.key[o.length:], b)
	}
	o.length += len(b)
}

// equalFold compares ASCII text without regard to case. Letters outside ASCII that fold to one in it (U+212A, U+017F) are
// not in the word that is looked for.
func equalFold(b []byte, word string) bool {
	for i := range len(word) {
		if b[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}
