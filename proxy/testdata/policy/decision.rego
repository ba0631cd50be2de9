# The policy of the golden test: analysts may do everything, others nothing. The tool "wipe" is in nobody's lists.
package sark

default decision := {"allow": false, "rule": "test.deny", "reason": "only analysts may do this"}

decision := {"allow": true, "rule": "test.allow", "reason": "analysts may do this", "obligations": {}} if {
	"analyst" in input.principal.roles
	not hidden
}

hidden if {
	input.mcp.phase == "list"
	input.tool.name == "wipe"
}
