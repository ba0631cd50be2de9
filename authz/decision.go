package authz

import (
	"time"

	"github.com/google/uuid"
)

// Reasons that the engine itself gives; policies give their own.
const (
	// ReasonUnavailable: no policy is loaded, evaluation failed, or it took longer than its deadline.
	ReasonUnavailable = "pdp_unavailable"
	// ReasonUndefined: the policy has no answer for this input.
	ReasonUndefined = "undefined"
	// ReasonObligation: the allow demands something that is not known or cannot be done on this exchange.
	ReasonObligation = "obligation_unfulfilled"
)

// Decision is the answer of the policy. The zero Decision denies.
type Decision struct {
	// ID identifies the decision in headers, logs and the audit trail (UUID version 7).
	ID uuid.UUID
	// Allow is true when the action may go on, under the obligations.
	Allow bool
	// Reason explains the decision to the caller.
	Reason string
	// Rule names the policy rule that decided.
	Rule string
	// Obligations are what an allow demands. They only ever narrow.
	Obligations Obligations
	// Scopes are all the OAuth scopes that the request would need, when a token that has them would change a denial; nil
	// otherwise, and for an allow. The slice is shared between decisions and must not be changed.
	Scopes []string
	// Revision is the bundle revision that decided.
	Revision string
	// Tier is how the answer was found: "memo" or "topdown"; empty when the engine denied by itself.
	Tier string
	// Err is why the engine denied by itself, for logs and the audit trail; nil otherwise. It never reaches a client.
	Err error
}

// Obligations are the demands of an allow. The zero value demands nothing. What it refers to is shared between
// decisions and must not be changed.
type Obligations struct {
	// Redact is what is to be masked, nil when nothing is.
	Redact *Redaction
	// CacheTTL bounds how long the answer may be kept; negative when the policy says nothing.
	CacheTTL time.Duration
	// Limit is a rate limit of the policy, nil when it says nothing.
	Limit *Limit
	// Severity raises the severity of the audit event; empty when the policy says nothing.
	Severity string
}

// What a Limit counts; the same as the limits of the configuration count.
const (
	LimitPrincipal = "principal" // calls of this principal
	LimitServer    = "server"    // calls of everybody to this server
	LimitTool      = "tool"      // calls of this principal to this tool
)

// Limit is a rate limit that a policy demands beside those of the configuration.
type Limit struct {
	// Key is what is counted: LimitPrincipal, LimitServer or LimitTool.
	Key string
	// Rate is how many calls may be made in each Period, in the long run; at least 1.
	Rate int
	// Period is above zero.
	Period time.Duration
	// Burst is how many calls may be made at once after a rest; at least 1.
	Burst int
}
