package sark_test

import data.sark

# person is a principal with a role; the other files' tests use it too.
person(role) := {"id": "p", "roles": [role], "teams": [], "scopes": [], "authenticated": true}

# use is a call of a tool.
use(role, level) := {
	"principal": person(role),
	"action": "tool:invoke",
	"mcp": {"phase": "call"},
	"server": {"id": "desk", "sensitivity_level": "medium", "teams": []},
	"tool": {"name": "report", "sensitivity_level": level, "read_only": false, "parameters": {}},
	"policy_config": {},
}

# ask is a request that is for no tool.
ask(role, action) := {"principal": person(role), "action": action, "mcp": {"phase": "call"}, "policy_config": {}}

rule(request) := answer if answer := sark.decision.rule with input as request

allowed(request) if sark.decision.allow with input as request

# show turns a request into the question whether its item may be listed.
show(request) := object.union(request, {"mcp": {"phase": "list"}})

test_deny_overrides if {
	request := object.union(use("analyst", "medium"), {"tool": {"parameters": {"amount": 500}}})
	sark.grant["rbac.analyst"] with input as request
	sark.decision == {
		"allow": false,
		"reason": "the amount must be a number, at most 100",
		"rule": "arguments.max_amount",
	} with input as request
}

test_allow_has_obligations if {
	sark.decision == {
		"allow": true,
		"reason": "analysts may use what is of low or medium sensitivity",
		"rule": "rbac.analyst",
		"obligations": {},
	} with input as use("analyst", "medium")
}

test_first_rule_is_reported if {
	request := object.union(ask("analyst", "policy:read"), {"principal": {"roles": ["viewer", "admin"]}})
	rule(request) == "api.read"
}

test_unauthenticated if {
	request := object.union(use("none", "low"), {"principal": {"roles": [], "authenticated": false}})
	rule(request) == "main.unauthenticated"
	not allowed(request)
}

test_unknown_role if {
	rule(use("astronaut", "low")) == "main.unknown_role"
	not allowed(use("astronaut", "low"))
}

test_anonymous_with_known_role_is_not_asked_to_authenticate if {
	request := object.union(use("viewer", "high"), {"principal": {"authenticated": false}})
	rule(request) == "main.not_granted"
}

test_not_granted_names_action_and_level if {
	sark.decision.reason == "your roles do not allow tool:invoke at sensitivity high" with input as use("analyst", "high")
	sark.decision.reason == "your roles do not allow audit:read" with input as ask("analyst", "audit:read")
}

test_unknown_action if rule(ask("developer", "mcp:something/new")) == "main.not_granted"

test_empty_input if {
	sark.decision == {
		"allow": false,
		"reason": "authentication is required",
		"rule": "main.unauthenticated",
	} with input as {}
}

test_no_action if {
	sark.decision.reason == "the request names no action" with input as {"principal": person("developer")}
}

test_listing if {
	sark.listing with input as show(use("viewer", "low"))
	not sark.listing with input as use("viewer", "low")
}
