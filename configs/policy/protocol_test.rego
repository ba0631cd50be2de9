package sark_test

import data.sark

test_everyone_may_connect_and_list if {
	every action in [
		"mcp:initialize", "mcp:notifications/cancelled", "mcp:notifications/initialized", "mcp:notifications/progress",
		"mcp:notifications/roots/list_changed", "mcp:ping", "mcp:prompts/list", "mcp:resources/list",
		"mcp:resources/templates/list", "mcp:response", "mcp:server/discover", "mcp:session/end", "mcp:stream", "tool:list",
	] {
		rule(ask("none", action)) == "protocol.lifecycle"
		allowed({"action": action})
	}
}

test_known_roles_take_part if {
	every action in ["http:get", "mcp:logging/setLevel", "mcp:tasks/get", "server:sampling", "server:elicitation", "server:roots"] {
		rule(ask("viewer", action)) == "protocol.participation"
		not allowed(ask("none", action))
	}
}

test_other_verbs_are_not_granted if not allowed(ask("developer", "http:post"))
