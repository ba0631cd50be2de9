package authz

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// maxSkipDepth bounds the nesting of JSON that is skipped.
const maxSkipDepth = 64

// space returns where the white space at raw[i:] ends.
func space(raw []byte, i int) int {
	for i < len(raw) && raw[i] <= ' ' && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\r' || raw[i] == '\t') {
		i++
	}
	return i
}

// shortText is how many bytes of a text are looked at by the word: most texts are names, and end before a search for the
// quote would have begun.
const shortText = 16

// text returns where the text ends whose opening quote is before raw[i], behind its closing quote.
func text(raw []byte, i int) (end int, escaped, ok bool) {
	for end = i; end+8 <= len(raw) && end < i+shortText; end += 8 {
		word := binary.LittleEndian.Uint64(raw[end:])
		if found := bytesEqual(word, quotes) | bytesEqual(word, backslashes); found != 0 {
			end += bits.TrailingZeros64(found) / 8
			if raw[end] == '"' {
				return end + 1, false, true
			}
			return escapedText(raw, i)
		}
	}
	n := bytes.IndexByte(raw[end:], '"')
	if n < 0 {
		return end, false, false
	}
	if bytes.IndexByte(raw[end:end+n], '\\') >= 0 {
		return escapedText(raw, i)
	}
	return end + n + 1, false, true
}

// Eight times the same byte.
const (
	ones        = 0x0101010101010101
	highs       = 0x80 * ones
	quotes      = '"' * ones
	backslashes = '\\' * ones
)

// bytesEqual returns a word whose lowest bit that is set is the high bit of the first byte in which two words are equal; 0
// when there is none.
func bytesEqual(a, b uint64) uint64 {
	x := a ^ b
	return (x - ones) &^ x & highs
}

func escapedText(raw []byte, i int) (end int, escaped, ok bool) {
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			return i + 1, true, true
		case '\\':
			i++
		}
	}
	return i, true, false
}

// number returns where the number at raw[i:] ends; false when there is none, or one beyond the bounds of numberTerm.
func number(raw []byte, i int) (int, bool) {
	start, exponent := i, -1
	for i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
		i++
	}
	if i > start && i < len(raw) && (raw[i] == ',' || raw[i] == '}') { // digits and no more, as most are
		return i, i-start <= maxDigits
	}
	for i < len(raw) {
		switch b := raw[i]; {
		case b >= '0' && b <= '9', b == '.', b == '-', b == '+':
		case b == 'e' || b == 'E':
			exponent = i + 1
		default:
			return i, bounded(raw, start, exponent, i)
		}
		i++
	}
	return i, bounded(raw, start, exponent, i)
}

func bounded(raw []byte, start, exponent, end int) bool {
	digits := raw[start:end]
	if len(digits) == 0 || len(digits) > maxDigits || (digits[0] != '-' && (digits[0] < '0' || digits[0] > '9')) {
		return false
	}
	if exponent < 0 {
		return true
	}
	n, err := strconv.Atoi(string(raw[exponent:end]))
	return err == nil && n <= maxExponent && n >= -maxExponent
}

// skipValue returns where the value at raw[i:] ends.
func skipValue(raw []byte, i, depth int) (int, bool) {
	i = space(raw, i)
	if i >= len(raw) || depth > maxSkipDepth {
		return i, false
	}
	switch raw[i] {
	case '{', '[':
		return skipNested(raw, i+1, depth)
	case '"':
		end, _, ok := text(raw, i+1)
		return end, ok
	case 't', 'n':
		return skipWord(raw, i, 4)
	case 'f':
		return skipWord(raw, i, 5)
	}
	return number(raw, i)
}

func skipWord(raw []byte, i, n int) (int, bool) {
	switch string(raw[i:min(i+n, len(raw))]) {
	case "true", "false", "null":
		return i + n, true
	}
	return i, false
}

// skipNested skips the inside of an object or array, and its end. Valid JSON is all that it needs to know: it takes every
// value and every separator as it comes, and the first closing bracket for its end.
func skipNested(raw []byte, i, depth int) (int, bool) {
	for {
		i = space(raw, i)
		if i >= len(raw) {
			return i, false
		}
		switch raw[i] {
		case '}', ']':
			return i + 1, true
		case ',', ':':
			i++
			continue
		}
		var ok bool
		if i, ok = skipValue(raw, i, depth+1); !ok {
			return i, false
		}
	}
}
