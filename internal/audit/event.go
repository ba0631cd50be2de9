package audit

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Phase tells the two events of a long exchange from the single event of every other one.
type Phase string

// The phases of an event.
const (
	PhaseSingle Phase = "single" // the only event of its exchange
	PhaseOpen   Phase = "open"   // a stream began, or a call is open for longer than audit.open_after
	PhaseClose  Phase = "close"  // the exchange whose open event was recorded has ended
)

// Outcome is how an exchange ended.
type Outcome string

// The outcomes of an exchange.
const (
	OutcomeAllowed        Outcome = "allowed"         // decided allow and answered to the end
	OutcomeDenied         Outcome = "denied"          // refused by policy, credential, limit or strict reading
	OutcomeError          Outcome = "error"           // the gateway could not do its part
	OutcomeClientGone     Outcome = "client_gone"     // the client left before the end of the reply
	OutcomeUpstreamFailed Outcome = "upstream_failed" // refused, silent or cut short by the upstream
	OutcomeUnknown        Outcome = "unknown"         // the process died between intent and outcome
)

// Severity ranks events for readers and alerts: "low", "medium", "high" or "critical".
type Severity string

// The severities.
const (
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Event is one row of the audit trail: one exchange, or one phase of a long one. Fields stand in column order; the column
// tag is the name of the column in every database and export.
//
// A recorder reads an event during the call only: strings may alias request memory, which dies when the handler returns.
type Event struct {
	// ID is a UUID of version 7 made from the same clock read as Time.
	ID uuid.UUID `column:"id"`
	// Time is when the exchange was accepted, in a close event when it ended; in UTC, with microseconds.
	Time time.Time `column:"timestamp"`
	// ClassUID is the OCSF class: 6003 API Activity, 3002 Authentication, 3004 Entity Management.
	ClassUID int32 `column:"class_uid"`
	// EventType is a stable name: tool_invoked, authorization_allowed, authorization_denied, server_registered, user_login...
	EventType string `column:"event_type"`
	// Severity is "low", "medium", "high" or "critical".
	Severity Severity `column:"severity"`
	// Phase is "single", "open" or "close".
	Phase Phase `column:"phase"`
	// Outcome is how the exchange ended; empty in an open event.
	Outcome Outcome `column:"outcome"`
	// Decision is "allow" or "deny", or empty when the exchange ended before a decision.
	Decision string `column:"decision"`
	// Rule is the policy rule that decided, or the gateway's own check that refused.
	Rule string `column:"rule"`
	// Reason is the sentence or code that explains the decision or refusal.
	Reason string `column:"reason"`
	// ExchangeID identifies the exchange in logs, headers and both phases.
	ExchangeID uuid.UUID `column:"exchange_id"`
	// DecisionID identifies the decision, or is zero (NULL) before one.
	DecisionID uuid.UUID `column:"decision_id"`
	// PolicyID is the entry point that was asked, for example "sark/decision".
	PolicyID string `column:"policy_id"`
	// PolicyRevision is the revision of the policy bundle that decided.
	PolicyRevision string `column:"policy_revision"`
	// Tier is how the decision was found: "memo", "topdown" or empty.
	Tier string `column:"tier"`
	// Shadow is the verdict of a policy that is not enforced, "allow" or "deny", or empty.
	Shadow string `column:"shadow"`
	// UserID is the principal's id. It is text: subjects are not always UUIDs.
	UserID string `column:"user_id"`
	// UserEmail is the principal's email, or empty.
	UserEmail string `column:"user_email"`
	// PrincipalType is "user", "service", "system" or "anonymous".
	PrincipalType string `column:"principal_type"`
	// UserRoles are the principal's roles.
	UserRoles []string `column:"user_roles"`
	// AuthMethod is how the principal proved who it is.
	AuthMethod string `column:"auth_method"`
	// PrincipalAttributes is a JSON object of further attributes (issuer, teams, scopes), or nil.
	PrincipalAttributes []byte `column:"principal_attributes"`
	// ClientID is the OAuth client, or the API key's id.
	ClientID string `column:"client_id"`
	// SessionID is a digest of the MCP session id, never the id itself.
	SessionID string `column:"session_id"`
	// Action is the policy action, for example "tool:invoke".
	Action string `column:"action_operation"`
	// ResourceType is "tool", "resource", "prompt", "server", "policy", "audit"...
	ResourceType string `column:"resource_type"`
	// Method is the MCP method, or empty for plain HTTP.
	Method string `column:"method"`
	// ServerID is the registry's id of the server, or its configured name.
	ServerID string `column:"server_id"`
	// ServerName is the server's name.
	ServerName string `column:"server_name"`
	// ToolName is the tool's name, for tools/call.
	ToolName string `column:"tool_name"`
	// Resource is the uri or the name of any other resource: a prompt, a task, a registered server.
	Resource string `column:"resource"`
	// Sensitivity is the sensitivity level of the tool, else of the server.
	Sensitivity string `column:"sensitivity"`
	// ArgumentsHash is the HMAC-SHA-256 of the canonical arguments under audit.hash_key, in hexadecimal, or empty.
	ArgumentsHash string `column:"arguments_hash"`
	// Arguments is the redacted JSON of the arguments, only when the operator opted in, else nil.
	Arguments []byte `column:"action_parameters"`
	// RequestID is the JSON-RPC id as the client sent it.
	RequestID string `column:"request_id"`
	// TraceID and SpanID are the W3C trace context of the request, or empty.
	TraceID string `column:"trace_id"`
	SpanID  string `column:"span_id"`
	// IP is the client's address.
	IP netip.Addr `column:"ip_address"`
	// UserAgent is the client's User-Agent header.
	UserAgent string `column:"user_agent"`
	// HTTPMethod is the verb of the request.
	HTTPMethod string `column:"http_method"`
	// Path is the raw request target without its query.
	Path string `column:"path"`
	// ProtocolVersion is the MCP revision that the request names, or empty.
	ProtocolVersion string `column:"protocol_version"`
	// Era is "legacy", "modern", or empty for plain HTTP.
	Era string `column:"era"`
	// StatusCode is the HTTP status that was sent; 499 when the client had left.
	StatusCode int32 `column:"status_code"`
	// RPCCode is the JSON-RPC error code of the reply, 0 when there was none.
	RPCCode int32 `column:"rpc_code"`
	// Success is true when the reply was complete and carried no error.
	Success bool `column:"success"`
	// ErrorMessage says what went wrong, for operators.
	ErrorMessage string `column:"error_message"`
	// CacheStatus is HIT, MISS, STALE, BYPASS, or empty where caching was not considered.
	CacheStatus string `column:"cache_status"`
	// DurationUS is the time from accept to end, in microseconds.
	DurationUS int64 `column:"duration_us"`
	// UpstreamUS is the time from the first upstream byte sent to the reply's header, in microseconds.
	UpstreamUS int64 `column:"upstream_us"`
	// BytesIn and BytesOut count body bytes, in and out.
	BytesIn  int64 `column:"bytes_in"`
	BytesOut int64 `column:"bytes_out"`
	// Environment is the deployment's name from the configuration.
	Environment string `column:"environment"`
	// Cost is the cost that an upstream reported, in the currency that the operator uses; 0 when unknown.
	Cost float64 `column:"cost"`
	// RetentionUntil is when the row may be deleted; zero means by the table's policy.
	RetentionUntil time.Time `column:"retention_until"`
	// Details is a JSON object of whatever has no column of its own (filtered counts, dropped frames), or nil.
	Details []byte `column:"details"`
	// Format is the version of the columns in which the event was sealed; NULL is 1. Set when the event is encoded.
	Format int32 `column:"format"`
	// WriterID identifies the spool that recorded the event: one chain per writer. Set by the spool.
	WriterID uuid.UUID `column:"writer_id"`
	// Seq is the event's number in its writer's chain, from 1. Set by the spool.
	Seq int64 `column:"seq"`
	// Hash is SHA-256(0x00 || previous hash || tuple without its hash). Set by the spool.
	Hash [32]byte `column:"hash"`
}

// Ticket holds room in the spool for the records of one exchange, taken before anything was sent upstream.
//
// Record writes an event and cannot fail: its room is already taken. An event of PhaseOpen leaves the ticket open for the
// close event; any other ends it. A ticket is used by one goroutine at a time.
type Ticket interface {
	Record(*Event)
}
