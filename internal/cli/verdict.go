package cli

import "sark/authz"

// verdict is a decision as policy eval prints it.
type verdict struct {
	Decision    string                    `json:"decision"` // "allow" or "deny"
	Reason      string                    `json:"reason"`
	Rule        string                    `json:"rule"`
	Obligations authz.ObligationsDocument `json:"obligations"`
	Revision    string                    `json:"revision"`
	Error       string                    `json:"error,omitempty"` // why the engine denied by itself
}

func verdictOf(d *authz.Decision) verdict {
	v := verdict{Decision: "deny", Reason: d.Reason, Rule: d.Rule, Obligations: d.ObligationsDocument(), Revision: d.Revision}
	if d.Allow {
		v.Decision = "allow"
	}
	if d.Err != nil {
		v.Error = d.Err.Error()
	}
	return v
}
