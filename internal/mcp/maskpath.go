package mcp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maskStep is one step of a path: to a member by its name, to an item by its index, or to all of them.
type maskStep struct {
	name  string
	index int  // of an item; -1 for a member
	all   bool // every member or item
	deep  bool // at any depth
	end   bool // the path is at its end: what it led to is masked
}

// leads reports whether the step leads to a member (index -1) or to an item.
func (p *maskStep) leads(key string, index int) bool {
	return p.all || p.index == index && (index >= 0 || p.name == key)
}

var errMaskPath = errors.New(`not a path such as $.customer.email, $.items[*].price, $["odd name"] or $..ssn`)

// appendPath appends the steps of a path: "$", then any of ".name", `["name"]`, "[0]", ".*", "[*]" and "..name".
func appendPath(steps []maskStep, path string) ([]maskStep, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok || rest == "" {
		return nil, fmt.Errorf("path %q: %w", path, errMaskPath)
	}
	for rest != "" {
		var step maskStep
		if step, rest, ok = nextStep(rest); !ok {
			return nil, fmt.Errorf("path %q: %w", path, errMaskPath)
		}
		steps = append(steps, step)
	}
	return append(steps, maskStep{end: true}), nil
}

// nextStep reads the step that begins a path.
func nextStep(path string) (step maskStep, rest string, ok bool) {
	deep := strings.HasPrefix(path, "..")
	switch {
	case deep && strings.HasPrefix(path, "..["):
		step, rest, ok = byBracket(path[3:])
	case deep:
		step, rest, ok = byName(path[2:])
	case path[0] == '.':
		step, rest, ok = byName(path[1:])
	case path[0] == '[':
		step, rest, ok = byBracket(path[1:])
	}
	step.deep = deep
	return step, rest, ok
}

// byName reads a name without quotes.
func byName(path string) (step maskStep, rest string, ok bool) {
	n := strings.IndexAny(path, ".[")
	if n < 0 {
		n = len(path)
	}
	name := path[:n]
	if name == "*" {
		return maskStep{all: true, index: -1}, path[n:], true
	}
	return maskStep{name: name, index: -1}, path[n:], name != "" && !strings.ContainsAny(name, "]\"'*?@$ ")
}

// byBracket reads what stands after "[".
func byBracket(path string) (step maskStep, rest string, ok bool) {
	if strings.HasPrefix(path, `"`) {
		quoted, err := strconv.QuotedPrefix(path)
		if err != nil {
			return step, "", false
		}
		name, err := strconv.Unquote(quoted)
		rest, ok = strings.CutPrefix(path[len(quoted):], "]")
		return maskStep{name: name, index: -1}, rest, ok && err == nil
	}
	text, rest, ok := strings.Cut(path, "]")
	if text == "*" {
		return maskStep{all: true, index: -1}, rest, ok
	}
	index, err := strconv.Atoi(text)
	return maskStep{index: index}, rest, ok && err == nil && index >= 0 && text[0] != '+'
}
