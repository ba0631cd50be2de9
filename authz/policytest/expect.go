package policytest

import (
	"encoding/json"
	"fmt"
	"reflect"

	"sark/authz"
)

// compare says in which fields a decision differs from the expected one. What was not expected is not compared.
func (e *Expect) compare(d *authz.Decision) []string {
	var differences []string
	note := func(field string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			differences = append(differences, differs(field, want, got))
		}
	}
	if e.Allow != nil {
		note("allow", *e.Allow, d.Allow)
	}
	if e.Rule != nil {
		note("rule", *e.Rule, d.Rule)
	}
	if e.Reason != nil {
		note("reason", *e.Reason, d.Reason)
	}
	if e.Obligations != nil {
		var want any
		_ = json.Unmarshal(e.Obligations, &want) // it was JSON when the case was read
		note("obligations", want, any(obligationsOf(d)))
	}
	switch {
	case len(differences) == 0:
	case d.Err != nil:
		differences = append(differences, "the gateway itself denies: "+d.Err.Error())
	case e.Rule == nil && d.Rule != "":
		differences = append(differences, "decided by "+d.Rule)
	}
	return differences
}

// differs says what is different, as one writes it in a case.
func differs(field string, want, got any) string {
	return fmt.Sprintf("%s: want %s, got %s", field, literal(want), literal(got))
}

func literal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a value that was read from JSON cannot be written: " + err.Error())
	}
	return text
}

// read returns JSON that literal wrote in the types of JSON.
func read(text []byte) (v any) {
	if err := json.Unmarshal(text, &v); err != nil {
		panic("BUG: JSON that was written cannot be read: " + err.Error())
	}
	return v
}

// obligationsOf writes obligations as policies do, in the types of JSON.
func obligationsOf(d *authz.Decision) map[string]any {
	o := map[string]any{}
	if r := d.Obligations.Redact; r != nil {
		rules := []any{}
		for _, rule := range r.Rules {
			rules = append(rules, read(literal(rule)))
		}
		o["redact"] = rules
	}
	if d.Obligations.CacheTTL >= 0 {
		o["cache"] = map[string]any{"ttl": d.Obligations.CacheTTL.Seconds()}
	}
	if l := d.Obligations.Limit; l != nil {
		o["limit"] = map[string]any{
			"key": l.Key, "rate": float64(l.Rate), "period": l.Period.Seconds(), "burst": float64(l.Burst),
		}
	}
	if d.Obligations.Severity != "" {
		o["severity"] = d.Obligations.Severity
	}
	return o
}
