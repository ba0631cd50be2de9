package sark_test

import data.sark

test_admin_may_do_everything if {
	every level in ["low", "medium", "high", "critical", "", "unheard of"] {
		allowed(use("admin", level))
	}
	every action in ["apikey:manage", "audit:read", "cache:invalidate", "mcp:something/new", "server:delete"] {
		allowed(ask("admin", action))
	}
}

# Every role against every level of a tool.
test_tool_levels if {
	reach := {
		"analyst": {"low", "medium"},
		"auditor": set(),
		"developer": {"low", "medium"},
		"service": set(),
		"viewer": set(),
	}
	every role, levels in reach {
		levels == {level |
			some level in ["low", "medium", "high", "critical", "", "unheard of"]
			allowed(use(role, level))
		}
	}
}

test_tool_without_level_is_denied if {
	request := object.remove(use("analyst", "low"), ["tool", "server"])
	not allowed(request)
}

test_viewer_tools if {
	read_only := {"tool": {"read_only": true}}
	rule(object.union(use("viewer", "low"), read_only)) == "rbac.viewer"
	not allowed(object.union(use("viewer", "medium"), read_only))
	not allowed(use("viewer", "low"))
}

test_viewer_reads_low if {
	every action in ["resource:read", "prompt:get", "completion:get", "mcp:resources/subscribe"] {
		rule(object.union(ask("viewer", action), {"server": {"sensitivity_level": "low"}})) == "rbac.viewer"
		not allowed(object.union(ask("viewer", action), {"server": {"sensitivity_level": "medium"}}))
	}
}

# scoped is a call by a service that holds one scope.
scoped(level, scope) := object.union(use("service", level), {"principal": {"scopes": [scope]}})

test_service_scope_names_action if {
	rule(scoped("low", "tool:invoke")) == "rbac.service"
	allowed(scoped("medium", "tool:invoke"))
	not allowed(scoped("high", "tool:invoke"))
	not allowed(scoped("low", "resource:read"))
}

test_service_scope_names_tool if {
	rule(scoped("high", "tool:invoke:report")) == "rbac.service_tool"
	not allowed(scoped("critical", "tool:invoke:report"))
	not allowed(scoped("low", "tool:invoke:other"))
}

# lacks is what a service with another scope is told to ask for.
lacks(level) := scopes if {
	scopes := object.get(data.sark.decision, "scopes", set()) with input as scoped(level, "prompt:get")
}

test_service_is_told_the_scope if {
	lacks("low") == {"tool:invoke"}
	lacks("medium") == {"tool:invoke"}
	lacks("high") == {"tool:invoke:report"}
	lacks("critical") == set()
}

test_no_scope_helps_other_roles_or_against_a_deny if {
	object.get(data.sark.decision, "scopes", set()) == set() with input as use("viewer", "high")
	object.get(data.sark.decision, "scopes", set()) == set() with input as object.union(
		scoped("low", "prompt:get"),
		{"tool": {"parameters": {"amount": 1000}}},
	)
}

test_scope_without_role_grants_nothing if {
	not allowed(object.union(use("none", "low"), {"principal": {"scopes": ["tool:invoke"]}}))
}

test_list_phase_hides_what_a_call_would_deny if {
	allowed(show(use("analyst", "medium")))
	not allowed(show(use("analyst", "high")))
	not allowed(show(use("viewer", "low")))
}
