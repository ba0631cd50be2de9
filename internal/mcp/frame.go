package mcp

import (
	"bytes"
	"slices"
)

// Frame is one server-sent event as it stood on the wire (WHATWG HTML, "Server-sent events"). Its slices are valid until
// the next call of Next.
type Frame struct {
	// Raw holds all bytes of the event with the blank line that ends it.
	Raw []byte
	// Data is the text of the data lines, joined by newlines; nil when there is no data line.
	Data []byte
	// ID is the text of the last id line; nil when there is none.
	ID []byte
	// Event is the text of the last event line; nil when there is none.
	Event []byte
	// Complete is false for what stood after the last blank line when the stream ended.
	Complete bool
	// Part says that Raw is a piece of an event over the reader's limit, whose fields are not read; with Complete it is the
	// last one.
	Part bool
	// Odd says that there is a line which may be more to somebody than a field that is ignored: its name is none, or it holds
	// what some readers take for the end of a line. A client may find an event in it that is not in Data.
	Odd bool

	mark int // length of the byte order mark that Raw begins with
}

// byteOrderMark may stand at the beginning of a stream and counts nowhere else.
const byteOrderMark = "\ufeff"

// parse reads the fields of the frame. The data of one line is that part of Raw; that of several is put together in buf, which
// is returned.
func (fr *Frame) parse(buf []byte) []byte {
	lines := 0
	eachLine(fr.Raw[fr.mark:], func(line, _ []byte) {
		name, value := field(line)
		switch string(name) {
		case "data":
			switch lines++; lines {
			case 1:
				fr.Data = value[:len(value):len(value)]
				return
			case 2:
				buf = append(slices.Grow(buf, len(fr.Raw)), fr.Data...) // it is no longer than that
			}
			buf = append(append(buf, '\n'), value...)
			fr.Data = buf
			return
		case "id":
			fr.ID = value
		case "event":
			fr.Event = value
		}
		fr.Odd = fr.Odd || oddName(name) || oddText(line)
	})
	return buf
}

// oddName reports whether the name of a field is none that anybody uses. The name of a comment is empty.
func oddName(name []byte) bool {
	for _, c := range name {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return true
		}
	}
	return false
}

// oddText reports whether a line holds what ends a line of text elsewhere (str.splitlines of Python, by which older clients
// read event streams) and not in an event stream. In data it says nothing: JSON has such characters in strings only, and what
// stands in one cannot be a message to whoever ends the line there, for want of quotes.
func oddText(line []byte) bool {
	for i, c := range line {
		switch {
		case c == '\v', c == '\f', 0x1c <= c && c <= 0x1e:
			return true
		case c == 0x85 && i > 0 && line[i-1] == 0xc2: // U+0085
			return true
		case (c == 0xa8 || c == 0xa9) && i > 1 && line[i-1] == 0x80 && line[i-2] == 0xe2: // U+2028, U+2029
			return true
		}
	}
	return false
}

// AppendWithData appends the frame with its data replaced: every other line stays as it was and where it was. A frame
// without a data line is appended as it is.
func (fr *Frame) AppendWithData(dst, data []byte) []byte { return fr.appendWith(dst, data, "") }

// AppendWithoutID is AppendWithData without the frame's id, so that nobody can ask for what comes after it.
func (fr *Frame) AppendWithoutID(dst, data []byte) []byte { return fr.appendWith(dst, data, "id") }

// appendWith appends the frame with its data replaced and without the lines of one field.
func (fr *Frame) appendWith(dst, data []byte, without string) []byte {
	from := len(dst)
	dst = append(dst, fr.Raw[:fr.mark]...)
	done := false
	eachLine(fr.Raw[fr.mark:], func(line, ending []byte) {
		name, _ := field(line)
		switch {
		case without != "" && string(name) == without:
		case string(name) != "data":
			if len(line) == 0 && string(ending) == "\n" && bytes.HasSuffix(dst[from:], []byte{'\r'}) {
				dst = append(dst, '\n') // a line between the two is gone: they must not become one CRLF
			}
			dst = append(append(dst, line...), ending...)
		case !done:
			dst = appendData(dst, data, ending)
			done = true
		}
	})
	return dst
}

// AppendFrame appends a message event that carries data.
func AppendFrame(dst, data []byte) []byte {
	dst = append(dst, "event: message\n"...)
	return append(appendData(dst, data, nil), '\n')
}

// appendData appends data lines. Whatever ends a line in data ends one here, since a carriage return that was passed on
// would cut the data short. No ending counts as a line feed.
func appendData(dst, data, ending []byte) []byte {
	if len(ending) == 0 {
		ending = []byte{'\n'}
	}
	open := true // a line is due: the first one, or the one after a line end
	eachLine(data, func(line, end []byte) {
		dst = append(append(append(dst, "data: "...), line...), ending...)
		open = end != nil
	})
	if open {
		dst = append(append(dst, "data: "...), ending...)
	}
	return dst
}

// eachLine calls visit with each line and the bytes that end it, nil for a last line without an end.
func eachLine(b []byte, visit func(line, ending []byte)) {
	for len(b) > 0 {
		i := lineEnd(b)
		if i < 0 {
			visit(b, nil)
			return
		}
		n := 1
		if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			n = 2
		}
		visit(b[:i], b[i:i+n])
		b = b[i+n:]
	}
}

// field splits a line into name and value; one space after the colon does not count. A comment has no name.
func field(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, line[len(line):]
	}
	value = line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:i], value
}
