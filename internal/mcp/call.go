package mcp

// Era tells the two families of protocol revisions apart.
type Era uint8

const (
	// Legacy is the family that begins with an initialize handshake and may keep sessions: revisions up to 2025-11-25.
	Legacy Era = iota
	// Modern is the stateless family with per-request metadata: revision 2026-07-28 and later.
	Modern
)

// String returns "legacy" or "modern", the words used in policies and in the audit trail.
func (e Era) String() string {
	if e == Modern {
		return "modern"
	}
	return "legacy"
}

// Kind is the JSON-RPC kind of a message.
type Kind uint8

const (
	// Request expects a reply and carries an id.
	Request Kind = iota
	// Notification carries a method and no id.
	Notification
	// Response answers a request of the other side: an id with a result or an error, and no method.
	Response
	// Plain is a request that is not JSON-RPC: an HTTP GET or DELETE, or a call of the management API.
	Plain
)

// Call is what one message asks for, as far as a gateway decides, caches and records by it. All slices and strings alias the
// body and the headers given to Parse and live as long as they do.
type Call struct {
	// Kind tells requests, notifications, responses and plain HTTP apart.
	Kind Kind
	// Era is the family of revisions that the message belongs to.
	Era Era
	// Method is the JSON-RPC method. It is empty for responses and plain HTTP.
	Method string
	// ID is the raw JSON of the id, nil when absent.
	ID []byte
	// Action is the policy action, for example "tool:invoke" (see ActionOf).
	Action string
	// ResourceType is what Name or URI names: "tool", "prompt", "resource", "task", "server", "policy", "audit", or "".
	ResourceType string
	// Name is params.name of tools/call and prompts/get, params.taskId of the tasks methods, ref.name of
	// completion/complete, and the identifier in the path of a management API route. For a method that we do not know it is
	// params.name where that is a string.
	Name string
	// URI is params.uri of the resources methods and ref.uri of completion/complete. For a method that we do not know it is
	// params.uri where that is a string.
	URI string
	// Params is the raw JSON of params, nil when absent.
	Params []byte
	// Arguments is the raw JSON object of params.arguments, nil when absent.
	Arguments []byte
	// Meta is the raw JSON object of params._meta, nil when absent.
	Meta []byte
	// ProtocolVersion is the revision that the message names in _meta, else the one in the header, else "".
	ProtocolVersion string
	// ClientCapabilities is the raw JSON of the _meta client capabilities of the modern era, nil when absent.
	ClientCapabilities []byte
	// Streams says that the caller may get more than one message for this one: it carries a progressToken or logLevel,
	// answers an earlier input request (inputResponses, requestState), or is subscriptions/listen.
	// Such a call is never answered from cache.
	Streams bool
	// Task says that the caller asks for a task instead of a result (MCP 2025-11-25, "Tasks").
	Task bool
	// Extra says that a request has members beside those that JSON-RPC gives it. They go upstream as they are, and nobody
	// knows what a server makes of them: such a call is never answered from cache either.
	Extra bool
	// Route is the stable name of a plain route, for example "servers.list" or "mcp.stream". Empty for JSON-RPC.
	Route string
	// ReadOnly says that the call cannot have effects by its method alone (lists, reads, pings). tools/call is not.
	ReadOnly bool
}
