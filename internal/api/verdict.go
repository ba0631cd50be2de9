package api

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"sark/authz"
)

// verdict is the reply. AuditID is the exchange under which the trail holds the question.
type verdict struct {
	Decision           string         `json:"decision"`
	Reason             string         `json:"reason"`
	FilteredParameters jsontext.Value `json:"filtered_parameters"`
	AuditID            *string        `json:"audit_id"`
	Obligations        obligations    `json:"obligations"`
	Rule               string         `json:"rule"`
	DecisionID         string         `json:"decision_id"`
	PolicyRevision     string         `json:"policy_revision"`
}

// obligations are what an allow demands of whoever enforces it; absent members demand nothing.
type obligations struct {
	Redact   []jsontext.Value `json:"redact,omitempty"`    // as the policy wrote them
	CacheTTL *float64         `json:"cache_ttl,omitempty"` // seconds
	Limit    *limit           `json:"limit,omitempty"`
	Severity string           `json:"severity,omitempty"`
}

// limit is a rate limit: so many calls in a period of seconds.
type limit struct {
	Key    string  `json:"key"`
	Rate   int     `json:"rate"`
	Period float64 `json:"period"`
	Burst  int     `json:"burst"`
}

// verdictOf renders the answer to a question that was asked in the given exchange.
func verdictOf(d *authz.Decision, asked *evaluation, exchange uuid.UUID) verdict {
	return verdict{
		Decision: word(d.Allow), Reason: d.Reason, FilteredParameters: asked.filtered(d), AuditID: optional(text(exchange)),
		Obligations: obligationsOf(d), Rule: d.Rule, DecisionID: text(d.ID), PolicyRevision: d.Revision,
	}
}

// filtered returns the parameters as the obligations would leave them: null when the answer is a deny.
func (b *evaluation) filtered(d *authz.Decision) jsontext.Value {
	if !d.Allow {
		return jsontext.Value("null")
	}
	parameters := document(b.Parameters)
	if r := d.Obligations.Redact; r != nil && r.Arguments != nil {
		masked, err := r.Arguments.Value(parameters)
		if err != nil { // the parser that reads arguments refuses what cannot be masked
			return jsontext.Value("null")
		}
		parameters = masked
	}
	return jsontext.Value(parameters)
}

func obligationsOf(d *authz.Decision) obligations {
	o := obligations{Severity: d.Obligations.Severity}
	if !d.Allow {
		return obligations{}
	}
	if r := d.Obligations.Redact; r != nil {
		for _, rule := range r.Rules {
			if text, err := rule.MarshalJSON(); err == nil { // texts can always be written
				o.Redact = append(o.Redact, text)
			}
		}
	}
	if ttl := d.Obligations.CacheTTL; ttl >= 0 {
		seconds := ttl.Seconds()
		o.CacheTTL = &seconds
	}
	if l := d.Obligations.Limit; l != nil {
		o.Limit = &limit{Key: l.Key, Rate: l.Rate, Period: l.Period.Seconds(), Burst: l.Burst}
	}
	return o
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
