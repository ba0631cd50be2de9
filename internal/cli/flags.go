package cli

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// The forms of --output.
const (
	outputText = "text" // for people
	outputJSON = "json" // for programs
)

// choice is the value of a flag that accepts certain words.
type choice struct {
	value string
	words []string
}

// addChoice defines a flag that accepts one of words; initial may be empty.
func addChoice(f *pflag.FlagSet, name, initial, use string, words ...string) *choice {
	c := &choice{value: initial, words: words}
	f.Var(c, name, use)
	return c
}

// addOutput defines --output.
func addOutput(f *pflag.FlagSet) *choice {
	return addChoice(f, "output", outputText, "form of the output", outputText, outputJSON)
}

// json tells whether --output asks for JSON.
func (c *choice) json() bool { return c.value == outputJSON }

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value; the help shows it behind the flag's name.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return errors.New("unknown word")
	}
	c.value = s
	return nil
}

// moment is the value of a flag that accepts a time, or a span before or after now.
type moment struct {
	time.Time
	now   func() time.Time
	after bool // spans count from now on, not back
}

// addMoment defines a flag for a time.
func addMoment(f *pflag.FlagSet, m *moment, name, use string) *moment {
	f.Var(m, name, use)
	return m
}

// String implements pflag.Value.
func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

// Type implements pflag.Value; the help shows it behind the flag's name.
func (m *moment) Type() string { return "TIME" }

// Set implements pflag.Value.
func (m *moment) Set(s string) error {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		m.Time = t
		return nil
	}
	span, err := parseSpan(s)
	if err != nil {
		return err
	}
	if !m.after {
		span = -span
	}
	m.Time = m.now().Add(span)
	return nil
}

// parseSpan reads a positive span as time.ParseDuration does, or in whole days: 90d.
func parseSpan(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	span, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		span, err = time.ParseDuration(days + "h")
		if span > 100*365*time.Hour || span != span.Truncate(time.Hour) {
			return 0, errors.New("not a number of days")
		}
		span *= time.Duration(day / time.Hour)
	}
	if err == nil && span <= 0 {
		err = errors.New("not positive")
	}
	return span, err
}
