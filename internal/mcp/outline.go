package mcp

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
}

const (
	dataField = "data"
	methodKey = "method"
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
		o.depth++
	case '}', ']':
		o.depth--
	case ':':
		o.asks = o.asks || o.depth == 1 && (o.odd || o.length == len(methodKey) && equalFold(o.key[:], methodKey))
	}
	if c != ' ' && c != '\t' {
		o.asks = o.asks || !o.begun && c != '{' || o.begun && o.depth <= 0 && c != '}'
		o.begun = true
	}
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
