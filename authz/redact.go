package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/mcp"
)

// Where a RedactRule masks.
const (
	InArguments = "arguments"
	InResult    = "result"
)

// RedactRule says what is to be masked: what a path leads to, or what a pattern matches.
type RedactRule struct {
	// In is InArguments, InResult, or empty for both.
	In string
	// Path leads from the root of the arguments or of the result's document ("$.customer.email"); empty when there is a Pattern.
	Path string
	// Pattern is a regular expression (RE2) whose matches in texts and numbers are masked; empty when there is a Path.
	Pattern string
}

// Redaction is what an allow demands to be masked. It is immutable.
type Redaction struct {
	// Rules are those of the policy, in its order.
	Rules []RedactRule
	// Arguments and Results are made of the rules; nil when none is for them.
	Arguments, Results *mcp.Mask
}

// NewRedaction returns what rules demand, nil for none. Its error is about the rule that cannot be understood.
func NewRedaction(rules ...RedactRule) (*Redaction, error) {
	if len(rules) == 0 {
		return nil, nil //nolint:nilnil // nothing is demanded
	}
	r := &Redaction{Rules: rules}
	var err error
	if r.Arguments, err = maskOf(rules, InArguments); err != nil {
		return nil, err
	}
	r.Results, err = maskOf(rules, InResult)
	return r, err
}

// maskOf returns the mask of the rules for one place, nil when there is none.
func maskOf(rules []RedactRule, in string) (*mcp.Mask, error) {
	var paths, patterns []string
	for _, rule := range rules {
		switch {
		case rule.In != "" && rule.In != in:
		case rule.Path != "":
			paths = append(paths, rule.Path)
		default:
			patterns = append(patterns, rule.Pattern)
		}
	}
	if len(paths)+len(patterns) == 0 {
		return nil, nil //nolint:nilnil // nothing is masked there
	}
	return mcp.NewMask(paths, patterns)
}

// Equal reports whether two redactions demand the same.
func (r *Redaction) Equal(o *Redaction) bool {
	if r == nil || o == nil {
		return r == o
	}
	return slices.Equal(r.Rules, o.Rules)
}

// MarshalJSON writes a rule as a policy writes it: a path for arguments and results alike as a text, any other as an object.
func (r RedactRule) MarshalJSON() ([]byte, error) {
	if r.In == "" && r.Pattern == "" {
		return json.Marshal(r.Path)
	}
	return json.Marshal(struct {
		In      string `json:"in,omitempty"`
		Path    string `json:"path,omitempty"`
		Pattern string `json:"pattern,omitempty"`
	}{r.In, r.Path, r.Pattern})
}

var (
	errRules = errors.New("not a list or set of paths and rules")
	errRule  = errors.New("needs either path or pattern")
	errIn    = errors.New(`not one of "arguments", "result"`)
)

func readRedaction(into **Redaction, v *ast.Term) error {
	list, ok := v.Value.(interface{ Foreach(func(*ast.Term)) }) // arrays and sets
	if _, object := v.Value.(ast.Object); !ok || object {
		return errRules
	}
	var rules []RedactRule
	var failed error
	list.Foreach(func(t *ast.Term) {
		rule, err := readRule(t)
		failed = errors.Join(failed, err)
		rules = append(rules, rule)
	})
	if failed != nil {
		return failed
	}
	var err error
	*into, err = NewRedaction(rules...)
	return err
}

func readRule(v *ast.Term) (rule RedactRule, err error) {
	if path, ok := v.Value.(ast.String); ok {
		rule.Path = string(path)
	} else {
		err = eachKey(v, func(key string, v *ast.Term) error {
			switch key {
			case "in":
				return readIn(&rule.In, v)
			case "path":
				return readString(&rule.Path, v)
			case "pattern":
				return readString(&rule.Pattern, v)
			}
			return errUnknownKey
		})
	}
	if err == nil && (rule.Path == "") == (rule.Pattern == "") {
		err = errRule
	}
	return rule, err
}

func readIn(into *string, v *ast.Term) error {
	if err := readString(into, v); err != nil {
		return err
	}
	if *into != InArguments && *into != InResult {
		return fmt.Errorf("in: %w", errIn)
	}
	return nil
}
