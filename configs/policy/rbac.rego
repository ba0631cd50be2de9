# Role-based access: who may use tools, resources and prompts, up to which sensitivity level.
#
# Role names stand in the rules as they are, not in a table: the interpreter finds the rules that can apply by such
# constants, and does not try the others.
package sark

# known is true for a principal with a role that this policy knows. Other roles grant nothing.
known if {
	some role in input.principal.roles
	role in {"admin", "analyst", "auditor", "developer", "service", "viewer"}
}

# using is true for the actions that use what a server offers. Each item of a list is asked for as the action that would
# use it.
using if input.action in {"tool:invoke", "resource:read", "prompt:get", "completion:get", "mcp:resources/subscribe"}

admin if "admin" in input.principal.roles

grant["rbac.admin"] := "administrators may do everything" if "admin" in input.principal.roles

grant["rbac.analyst"] := "analysts may use what is of low or medium sensitivity" if {
	"analyst" in input.principal.roles
	using
	level in {"low", "medium"}
}

grant["rbac.developer"] := "developers may use what is of low or medium sensitivity" if {
	"developer" in input.principal.roles
	using
	level in {"low", "medium"}
}

grant["rbac.viewer"] := "viewers may read what is of low sensitivity" if {
	"viewer" in input.principal.roles
	using
	level == "low"
	reading
}

# reading is true unless the request is for a tool that is not known to be read-only.
reading if input.action != "tool:invoke"

reading if input.tool.read_only == true

# A service does what its scopes name: an action ("tool:invoke") up to medium sensitivity,
grant["rbac.service"] := "the scope names the action" if {
	"service" in input.principal.roles
	using
	input.action in input.principal.scopes
	level in {"low", "medium"}
}

# or one tool ("tool:invoke:refund_order") up to high sensitivity.
grant["rbac.service_tool"] := "the scope names the tool" if {
	"service" in input.principal.roles
	input.action == "tool:invoke"
	concat(":", ["tool:invoke", input.tool.name]) in input.principal.scopes
	level in {"low", "medium", "high"}
}

# A service that lacks the scope is told which one to ask for (OAuth step-up): nothing else stands in its way.
missing_scopes contains input.action if {
	"service" in input.principal.roles
	using
	level in {"low", "medium"}
}

missing_scopes contains concat(":", ["tool:invoke", input.tool.name]) if {
	"service" in input.principal.roles
	input.action == "tool:invoke"
	level == "high"
}
