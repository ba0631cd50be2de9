package mcp

import (
	"bytes"
	"fmt"
	"regexp"
)

// Masked stands where a text, or a part of one, was taken out.
const Masked = "[redacted]"

// Mask takes fields and patterns out of messages. All bytes around them stay as they are, and values keep their types: a
// text becomes Masked, a number 0, a truth value false; objects and arrays keep their shape, with everything in them masked.
// Keys are never changed. A nil Mask masks nothing; a Mask is immutable.
type Mask struct {
	steps    []maskStep // of all paths, each with its end
	starts   []int      // where in steps each path begins
	patterns []*regexp.Regexp
}

// NewMask returns a mask of paths ("$" and then any of ".name", `["name"]`, "[0]", ".*", "[*]" and "..name") and of regular
// expressions (RE2), whose matches in texts and numbers are masked.
func NewMask(paths, patterns []string) (*Mask, error) {
	m := new(Mask)
	for _, p := range paths {
		m.starts = append(m.starts, len(m.steps))
		steps, err := appendPath(m.steps, p)
		if err != nil {
			return nil, err
		}
		m.steps = steps
	}
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err == nil && re.MatchString("") {
			err = fmt.Errorf("pattern %q matches nothing at all", p)
		}
		if err != nil {
			return nil, err
		}
		m.patterns = append(m.patterns, re)
	}
	return m, nil
}

// Value masks a document, whose root is the "$" of paths. out aliases doc when nothing was changed.
func (m *Mask) Value(doc []byte) (out []byte, err error) {
	return m.edit(doc, func(e *masking) { e.value(1, m.starts, false) })
}

// Arguments masks params.arguments of a request, whose root is the "$" of paths. gone holds the texts that were taken out.
// out aliases message when nothing was changed.
func (m *Mask) Arguments(message []byte) (out []byte, gone []string, err error) {
	out, err = m.edit(message, func(e *masking) {
		e.arguments()
		gone = e.gone
	})
	return out, gone, err
}

// Reply masks a message of a server. The "$" of paths are a structuredContent, the JSON object or array in a text, and the
// data of an error. Patterns are looked for in every text and number. What cannot be looked into is masked as a whole: a
// text without fields when there are paths, and binary content. out aliases message when nothing was changed. A message
// that two readers could understand differently is an error.
func (m *Mask) Reply(message []byte) (out []byte, err error) {
	return m.edit(message, (*masking).message)
}

// Matches reports whether a pattern matches a text.
func (m *Mask) Matches(text []byte) bool {
	for _, re := range m.patterns {
		if re.Match(text) {
			return true
		}
	}
	return false
}

// Names reports whether a path ends in a member of this name.
func (m *Mask) Names(fold []byte) bool {
	for i := 1; i < len(m.steps); i++ {
		if m.steps[i].end && (m.steps[i-1].all || bytes.EqualFold([]byte(m.steps[i-1].name), fold)) {
			return true
		}
	}
	return false
}

func (m *Mask) edit(doc []byte, walk func(*masking)) ([]byte, error) {
	s := acquireScanner(doc)
	defer releaseScanner(s)
	e := &masking{m: m, s: s}
	s.peek()
	walk(e)
	if err := s.verdict(); err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	if len(e.edits) == 0 {
		return doc, nil
	}
	return e.apply(nil, doc), nil
}
