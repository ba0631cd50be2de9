package cli

import "sark/authz"

// verdict is a decision as policy eval prints it.
type verdict struct {
	Decision    string      `json:"decision"` // "allow" or "deny"
	Reason      string      `json:"reason"`
	Rule        string      `json:"rule"`
	Obligations obligations `json:"obligations"`
	Revision    string      `json:"revision"`
	Error       string      `json:"error,omitempty"` // why the engine denied by itself
}

// obligations are what an allow demands; absent members demand nothing. The form is that of the policy evaluation API.
type obligations struct {
	Redact   []authz.RedactRule `json:"redact,omitempty"`
	CacheTTL *float64           `json:"cache_ttl,omitempty"` // seconds
	Limit    *limit             `json:"limit,omitempty"`
	Severity string             `json:"severity,omitempty"`
}

// limit is a rate limit: so many calls in a period of seconds.
type limit struct {
	Key    string  `json:"key"`
	Rate   int     `json:"rate"`
	Period float64 `json:"period"`
	Burst  int     `json:"burst"`
}

func verdictOf(d *authz.Decision) verdict {
	v := verdict{Decision: "deny", Reason: d.Reason, Rule: d.Rule, Revision: d.Revision}
	if d.Err != nil {
		v.Error = d.Err.Error()
	}
	if !d.Allow {
		return v
	}
	v.Decision = "allow"
	v.Obligations = obligations{Severity: d.Obligations.Severity}
	if r := d.Obligations.Redact; r != nil {
		v.Obligations.Redact = r.Rules
	}
	if ttl := d.Obligations.CacheTTL; ttl >= 0 {
		seconds := ttl.Seconds()
		v.Obligations.CacheTTL = &seconds
	}
	if l := d.Obligations.Limit; l != nil {
		v.Obligations.Limit = &limit{Key: l.Key, Rate: l.Rate, Period: l.Period.Seconds(), Burst: l.Burst}
	}
	return v
}
