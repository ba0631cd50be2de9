package sark_test

import data.sark

# may_do compares the roles that may do an action with those that are named.
may_do(action, roles) if {
	roles == {role |
		some role in ["admin", "analyst", "auditor", "developer", "none", "service", "viewer"]
		allowed(ask(role, action))
	}
}

test_who_may_do_what if {
	everyone := {"admin", "analyst", "auditor", "developer", "viewer"}
	may_do("server:read", everyone)
	may_do("policy:read", everyone)
	may_do("policy:evaluate", everyone)
	may_do("policy:validate", {"admin"})
	may_do("health:read", everyone | {"service"})
	may_do("server:register", {"admin", "developer"})
	may_do("server:update", {"admin"})
	may_do("server:delete", {"admin"})
	may_do("audit:read", {"admin", "auditor"})
	may_do("cache:invalidate", {"admin"})
	may_do("apikey:manage", {"admin"})
}

scoped_ask(action, scope) := object.union(ask("service", action), {"principal": {"scopes": [scope]}})

test_service_scopes if {
	every action in ["server:read", "server:register", "policy:read", "policy:evaluate"] {
		rule(scoped_ask(action, action)) == "api.service"
		not allowed(scoped_ask(action, "tool:invoke"))
	}
	not allowed(scoped_ask("audit:read", "audit:read"))
}

# about is a request about a registered server, or about something else when the resource says so.
about(role, action, resource) := object.union(ask(role, action), {"resource": object.union({"type": "server"}, resource)})

test_sensitive_servers_are_for_admins if {
	every level in ["high", "critical"] {
		rule(about("developer", "server:register", {"sensitivity_level": level})) == "api.sensitive_server"
		allowed(about("admin", "server:register", {"sensitivity_level": level}))
	}
	every level in ["low", "medium", ""] {
		allowed(about("developer", "server:register", {"sensitivity_level": level}))
	}
}

test_own_servers if {
	allowed(about("developer", "server:update", {"owner_id": "p", "sensitivity_level": "high"}))
	allowed(about("developer", "server:delete", {"owner_id": "p", "sensitivity_level": "low"}))
	rule(about("developer", "server:delete", {"owner_id": "p", "sensitivity_level": "high"})) == "api.sensitive_server"
	not allowed(about("developer", "server:update", {"owner_id": "q"}))
	not allowed(about("developer", "server:update", {"owner_id": ""}))
	not allowed(about("viewer", "server:update", {"owner_id": "p"}))
}

test_evaluating_as_somebody_else if {
	allowed(about("viewer", "policy:evaluate", {"type": "policy", "id": ""}))
	allowed(about("viewer", "policy:evaluate", {"type": "user", "id": "p"}))
	rule(about("viewer", "policy:evaluate", {"type": "user", "id": "q"})) == "api.evaluate_as"
	allowed(about("admin", "policy:evaluate", {"type": "user", "id": "q"}))
}
