# The protocol itself: what a client needs to talk to a server at all.
package sark

# The actions that open, keep and end a connection, and the lists, are for everyone. The items of a list are asked for one
# by one, so a caller without rights sees empty lists.
grant["protocol.lifecycle"] := "everyone may connect and list" if {
	input.action in {
		"mcp:initialize",
		"mcp:notifications/cancelled",
		"mcp:notifications/initialized",
		"mcp:notifications/progress",
		"mcp:notifications/roots/list_changed",
		"mcp:ping",
		"mcp:prompts/list",
		"mcp:resources/list",
		"mcp:resources/templates/list",
		"mcp:response",
		"mcp:server/discover",
		"mcp:session/end",
		"mcp:stream",
		"tool:list",
	}
}

# The further actions of a conversation are for every role that the policy knows.
grant["protocol.participation"] := "your role may take part in the conversation" if {
	input.action in {
		"http:get",
		"http:head",
		"http:options",
		"mcp:logging/setLevel",
		"mcp:resources/unsubscribe",
		"mcp:subscriptions/listen",
		"mcp:tasks/cancel",
		"mcp:tasks/get",
		"mcp:tasks/list",
		"mcp:tasks/result",
		"mcp:tasks/update",
		"server:elicitation",
		"server:roots",
		"server:sampling",
	}
	known
}
