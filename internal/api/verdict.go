package api

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"sark/authz"
)

// verdict is the reply. AuditID is the exchange under which the trail holds the question.
type verdict struct {
	Decision           string                    `json:"decision"`
	Reason             string                    `json:"reason"`
	FilteredParameters jsontext.Value            `json:"filtered_parameters"`
	AuditID            *string                   `json:"audit_id"`
	Obligations        authz.ObligationsDocument `json:"obligations"`
	Rule               string                    `json:"rule"`
	DecisionID         string                    `json:"decision_id"`
	PolicyRevision     string                    `json:"policy_revision"`
}

// verdictOf renders the answer to a question that was asked in the given exchange.
func verdictOf(d *authz.Decision, asked *evaluation, exchange uuid.UUID) verdict {
	return verdict{
		Decision: word(d.Allow), Reason: d.Reason, FilteredParameters: asked.filtered(d), AuditID: optional(text(exchange)),
		Obligations: d.ObligationsDocument(), Rule: d.Rule, DecisionID: text(d.ID), PolicyRevision: d.Revision,
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

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
