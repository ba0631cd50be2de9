package authz

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// moment is a second as policies see it. It is immutable.
type moment struct {
	unix                  int64
	hour, minute, weekday uint8 // weekdays as ISO 8601 numbers them: 1 is Monday, 7 is Sunday
	term                  *ast.Term
}

// at returns the moment of t. The latest is kept: all decisions of one second share it.
func (s *settings) at(t time.Time) *moment {
	if m := s.latest.Load(); m != nil && m.unix == t.Unix() {
		return m
	}
	m := newMoment(t.In(s.location))
	s.latest.Store(m)
	return m
}

func newMoment(t time.Time) *moment {
	weekday := t.Weekday()
	if weekday == time.Sunday {
		weekday = 7
	}
	m := &moment{unix: t.Unix(), hour: uint8(t.Hour()), minute: uint8(t.Minute()), weekday: uint8(weekday)} //nolint:gosec // below 60
	m.term = object(
		pair{keyHour, ast.InternedTerm(t.Hour())},
		pair{keyMinute, ast.InternedTerm(t.Minute())},
		pair{keyWeekday, ast.InternedTerm(int(weekday))},
		pair{keyUnix, ast.InternedTerm(m.unix)},
	)
	return m
}
