package mcp

// method is what is known about one MCP method.
type method struct {
	name     string
	action   string
	resource string
	list     string // the key of the item array in its result, for methods that list
	readOnly bool
}

// methods holds every method of the revisions 2024-11-05 to 2026-07-28 and of the tasks extension, from client to server.
// A method that is not here is decided as "mcp:<method>" and may have effects.
var methods = named(map[string]*method{
	"server/discover":                  {action: "mcp:server/discover", readOnly: true},
	"initialize":                       {action: "mcp:initialize", readOnly: true},
	"notifications/initialized":        {action: "mcp:notifications/initialized", readOnly: true},
	"ping":                             {action: "mcp:ping", readOnly: true},
	"tools/list":                       {action: "tool:list", list: "tools", readOnly: true},
	"prompts/list":                     {action: "mcp:prompts/list", list: "prompts", readOnly: true},
	"resources/list":                   {action: "mcp:resources/list", list: "resources", readOnly: true},
	"resources/templates/list":         {action: "mcp:resources/templates/list", list: "resourceTemplates", readOnly: true},
	"tools/call":                       {action: "tool:invoke", resource: "tool"},
	"prompts/get":                      {action: "prompt:get", resource: "prompt", readOnly: true},
	"resources/read":                   {action: "resource:read", resource: "resource", readOnly: true},
	"resources/subscribe":              {action: "mcp:resources/subscribe", resource: "resource", readOnly: true},
	"resources/unsubscribe":            {action: "mcp:resources/unsubscribe", resource: "resource", readOnly: true},
	"subscriptions/listen":             {action: "mcp:subscriptions/listen", readOnly: true},
	"completion/complete":              {action: "completion:get", readOnly: true},
	"logging/setLevel":                 {action: "mcp:logging/setLevel", readOnly: true},
	"tasks/get":                        {action: "mcp:tasks/get", resource: "task", readOnly: true},
	"tasks/update":                     {action: "mcp:tasks/update", resource: "task"},
	"tasks/cancel":                     {action: "mcp:tasks/cancel", resource: "task"},
	"tasks/list":                       {action: "mcp:tasks/list", list: "tasks", readOnly: true},
	"tasks/result":                     {action: "mcp:tasks/result", resource: "task", readOnly: true},
	"notifications/cancelled":          {action: "mcp:notifications/cancelled", readOnly: true},
	"notifications/progress":           {action: "mcp:notifications/progress", readOnly: true},
	"notifications/roots/list_changed": {action: "mcp:notifications/roots/list_changed", readOnly: true},
})

func named(table map[string]*method) map[string]*method {
	for name, m := range table {
		m.name = name
	}
	return table
}

// ActionResponse is the action of a client's answer to a server's request.
const ActionResponse = "mcp:response"

// ActionStream is the action of a GET that opens or resumes a legacy event stream, and ActionEnd of a DELETE that ends a
// legacy session.
const (
	ActionStream = "mcp:stream"
	ActionEnd    = "mcp:session/end"
)

// KnownMethod reports whether a method from client to server is one that MCP defines.
func KnownMethod(name string) bool { return methods[name] != nil }

// ActionOf returns the policy action of a method from client to server.
func ActionOf(name string) string {
	if m, ok := methods[name]; ok {
		return m.action
	}
	return unknownAction(name)
}

// unknownAction returns "mcp:<method>", but never an action that stands for something else: a client that invents a
// method "response" must not be decided like one that answers the server.
func unknownAction(name string) string {
	switch action := "mcp:" + name; action {
	case ActionResponse, ActionStream, ActionEnd:
		return "mcp:method/" + name
	default:
		return action
	}
}

// ServerActionOf returns the policy action of a request that a server sends to the client, for example "server:sampling".
func ServerActionOf(name string) string {
	switch name {
	case "sampling/createMessage":
		return "server:sampling"
	case "elicitation/create":
		return "server:elicitation"
	case "roots/list":
		return "server:roots"
	}
	return "server:" + name
}

// ListKey returns the key of the item array in the result of a method that lists ("tools" for tools/list), or "".
func ListKey(name string) string {
	if m, ok := methods[name]; ok {
		return m.list
	}
	return ""
}
