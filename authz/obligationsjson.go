package authz

// ObligationsDocument is the form in which the policy evaluation API and sark policy eval give obligations; absent members
// demand nothing.
type ObligationsDocument struct {
	Redact   []RedactRule   `json:"redact,omitempty"`    // as the policy wrote them
	CacheTTL *float64       `json:"cache_ttl,omitempty"` // seconds
	Limit    *LimitDocument `json:"limit,omitempty"`
	Severity string         `json:"severity,omitempty"`
}

// LimitDocument is a rate limit: so many calls in a period of seconds.
type LimitDocument struct {
	Key    string  `json:"key"`
	Rate   int     `json:"rate"`
	Period float64 `json:"period"`
	Burst  int     `json:"burst"`
}

// ObligationsDocument returns what the decision demands. A deny demands nothing.
func (d *Decision) ObligationsDocument() ObligationsDocument {
	if !d.Allow {
		return ObligationsDocument{}
	}
	o := &d.Obligations
	doc := ObligationsDocument{Severity: o.Severity}
	if o.Redact != nil {
		doc.Redact = o.Redact.Rules
	}
	if o.CacheTTL >= 0 {
		seconds := o.CacheTTL.Seconds()
		doc.CacheTTL = &seconds
	}
	if l := o.Limit; l != nil {
		doc.Limit = &LimitDocument{Key: l.Key, Rate: l.Rate, Period: l.Period.Seconds(), Burst: l.Burst}
	}
	return doc
}
