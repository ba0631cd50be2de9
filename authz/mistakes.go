package authz

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Mistake is one thing that is wrong with the text of a policy.
type Mistake struct {
	File         string // below the bundle; empty when it has no place
	Line, Column int    // from 1; 0 when it has no place
	Message      string // in OPA's words
	Text         string // of the line, or of the expression, tabs included
	Caret        int    // column of Text, from 0, where it was noticed; -1 when Text begins there
}

// String returns the place and what is wrong there, as compilers write it.
func (m *Mistake) String() string {
	if m.Line == 0 {
		return m.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// At tells whether two mistakes were noticed at the same place.
func (m *Mistake) At(other Mistake) bool {
	return m.File == other.File && m.Line == other.Line && m.Column == other.Column
}

// Mistakes returns what is wrong with the text of a policy that could not be read or compiled, in order of place, and what the
// error says before. There are none when the error is another.
func Mistakes(err error) (before string, all []Mistake) {
	var several ast.Errors
	if !errors.As(err, &several) || len(several) == 0 {
		return "", nil
	}
	before = strings.TrimSuffix(strings.TrimSpace(strings.TrimSuffix(err.Error(), several.Error())), ":")
	for _, e := range several {
		all = append(all, mistake(e))
	}
	return before, all
}

func mistake(e *ast.Error) Mistake {
	m := Mistake{Message: e.Message, Caret: -1}
	if e.Location != nil {
		m.File, m.Line, m.Column = strings.TrimPrefix(e.Location.File, "/"), e.Location.Row, e.Location.Col
		m.Text, _, _ = strings.Cut(string(e.Location.Text), "\n")
	}
	switch d := e.Details.(type) {
	case *ast.ParserErrorDetail:
		m.Text, m.Caret = d.Line, d.Idx
	case nil:
	default: // such as the types that do not match
		m.Message += ": " + strings.Join(d.Lines(), ", ")
	}
	return m
}
