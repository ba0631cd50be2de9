# The management API.
package sark

grant["api.read"] := "your role may read" if {
	input.action in {"policy:read", "server:read"}
	person
}

grant["api.evaluate"] := "your role may ask the policy" if {
	input.action == "policy:evaluate"
	person
}

# person is true for every role but service: services need the action as a scope.
person if {
	some role in input.principal.roles
	role in {"admin", "analyst", "auditor", "developer", "viewer"}
}

grant["api.health"] := "your role may see how the gateway is" if {
	input.action == "health:read"
	known
}

grant["api.service"] := "the scope names the action" if {
	input.action in {"policy:evaluate", "policy:read", "server:read", "server:register"}
	"service" in input.principal.roles
	input.action in input.principal.scopes
}

grant["api.register"] := "developers may register servers" if {
	input.action == "server:register"
	"developer" in input.principal.roles
}

grant["api.own_server"] := "developers may change the servers that they registered" if {
	input.action in {"server:update", "server:delete"}
	"developer" in input.principal.roles
	owner
}

grant["api.audit"] := "auditors may read the audit trail" if {
	input.action == "audit:read"
	"auditor" in input.principal.roles
}

deny["api.sensitive_server"] := "servers of high sensitivity are for administrators" if {
	input.action in {"server:register", "server:delete"}
	input.resource.sensitivity_level in {"high", "critical"}
	not admin
}

# input.resource.id of policy:evaluate is the user to evaluate as; empty for the caller.
deny["api.evaluate_as"] := "only administrators may evaluate as somebody else" if {
	input.action == "policy:evaluate"
	input.resource.id != ""
	input.resource.id != input.principal.id
	not admin
}
