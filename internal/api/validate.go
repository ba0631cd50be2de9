package api

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// mistakes collects what is wrong with a body, all of it before anything is answered.
type mistakes []FieldError

func (m *mistakes) add(kind, msg string, loc ...any) {
	*m = append(*m, FieldError{Loc: append([]any{"body"}, loc...), Msg: msg, Type: kind})
}

// problem returns nil when there are no mistakes.
func (m *mistakes) problem() error {
	if len(*m) == 0 {
		return nil
	}
	return unprocessable(*m...)
}

func unprocessable(fields ...FieldError) *Problem {
	return &Problem{
		Status: fasthttp.StatusUnprocessableEntity, Code: "validation_error",
		Detail: "The body is not valid", Fields: fields,
	}
}

// line checks a single line of text of at most limit characters.
func (m *mistakes) line(s string, limit int, loc ...any) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		m.add("string_control", "The string should have no control characters", loc...)
	}
	m.length(s, limit, loc...)
}

// prose checks text of at most limit characters that may have line breaks and tabs.
func (m *mistakes) prose(s string, limit int, loc ...any) {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		m.add("string_control", "The string should have no control characters but line breaks and tabs", loc...)
	}
	m.length(s, limit, loc...)
}

func (m *mistakes) length(s string, limit int, loc ...any) {
	if utf8.RuneCountInString(s) > limit {
		m.add("string_too_long", "The string should have at most "+strconv.Itoa(limit)+" characters", loc...)
	}
}

// oneOf checks a word of an enumeration.
func (m *mistakes) oneOf(s string, words []string, loc ...any) {
	if !slices.Contains(words, s) {
		m.add("enum", "The value should be one of "+strings.Join(words, ", "), loc...)
	}
}

// lines checks a list of at most count distinct, non-empty lines.
func (m *mistakes) lines(list []string, count, limit int, loc ...any) {
	if len(list) > count {
		m.add("too_long", "The list should have at most "+strconv.Itoa(count)+" entries", loc...)
		return
	}
	for i, s := range list {
		at := append(slices.Clone(loc), i)
		switch {
		case s == "":
			m.add("string_too_short", "The string should not be empty", at...)
		case slices.Contains(list[:i], s):
			m.add("duplicate", "The value appears twice", at...)
		}
		m.line(s, limit, at...)
	}
}

// object checks a raw value of at most limit bytes that may be absent.
func (m *mistakes) object(raw jsontext.Value, limit int, loc ...any) {
	switch {
	case len(raw) == 0:
	case !isObject(raw):
		m.add("object_type", "The value should be an object", loc...)
	case len(raw) > limit:
		m.add("too_long", "The object should have at most "+strconv.Itoa(limit)+" bytes", loc...)
	}
}
