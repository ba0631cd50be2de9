package authz

import (
	"net/netip"
	"time"

	"sark/internal/authn"
	"sark/internal/mcp"
)

// InputVersion is the version of the document that policies see as input.version.
const InputVersion = 1

// The phases of input.mcp.phase.
const (
	// PhaseCall is a request on its way in.
	PhaseCall = "call"
	// PhaseList is one item of a list result: may this principal see it?
	PhaseList = "list"
	// PhaseServer is a request that a server sends to the client on a stream.
	PhaseServer = "server"
)

// Input is what a decision may depend on. It is read during Decide only; the engine keeps nothing of it but the principal,
// which never changes.
type Input struct {
	// Principal is who asks; never nil.
	Principal *authn.Principal
	// Call is what is asked; never nil. Its Action, Method, Name, URI and Arguments become input.action and input.mcp.
	Call *mcp.Call
	// Phase is PhaseCall, PhaseList or PhaseServer; empty means PhaseCall.
	Phase string
	// Action replaces Call.Action when set (list items are asked as the action that would use them).
	Action string
	// Server is the MCP server that the request is for; zero for the management API.
	Server Server
	// Tool is the tool that the request is for; zero otherwise.
	Tool Tool
	// Resource is the object of every other request.
	Resource Resource
	// Request is the HTTP side.
	Request Request
	// Time is when the request was accepted; the policy sees hour, minute, weekday and unix in authz.timezone.
	Time time.Time
	// Context is further JSON-like data under input.context (policy evaluation API); nil otherwise.
	Context map[string]any
}

// Server describes the MCP server of a request to policies.
type Server struct {
	// ID is the registry's id, or the configured name.
	ID string
	// Name is the server's name.
	Name string
	// SensitivityLevel is "low", "medium", "high" or "critical".
	SensitivityLevel string
	// Teams may use the server.
	Teams []string
	// OwnerID is the principal who registered it; empty for configured servers.
	OwnerID string
	// Status is the registry's status; empty for configured servers.
	Status string
}

// applies reports whether the request is for an MCP server.
func (s *Server) applies() bool { return s.ID != "" || s.Name != "" }

// Tool describes the tool of a request to policies.
type Tool struct {
	// Name is the tool's name; empty when the request is for no tool.
	Name string
	// SensitivityLevel is the tool's own level, else the server's.
	SensitivityLevel string
	// Known is true when the configuration or the registry describes the tool.
	Known bool
	// ReadOnly is true when the configuration says that the tool has no effects.
	ReadOnly bool
}

func (t *Tool) applies() bool { return t.Name != "" }

// Resource is the object of a request that is for no tool.
type Resource struct {
	// Type is "resource", "prompt", "server", "policy", "audit" and so on.
	Type string
	// ID is the resource's uri, name or identifier.
	ID string
	// SensitivityLevel and Teams describe a registered server that is read or changed.
	SensitivityLevel string
	Teams            []string
	OwnerID          string
}

func (r *Resource) applies() bool { return r.Type != "" || r.ID != "" }

// Request is the HTTP side of a request as policies see it.
type Request struct {
	// Method is the HTTP verb.
	Method string
	// Path is the raw target without the query.
	Path string
	// ClientIP is the client's address.
	ClientIP netip.Addr
	// Headers are those that the configuration allows policies to see, lower-case names; nil when none.
	Headers map[string]string
}
