# Sensitivity: the level of what a request is for.
package sark

# level is the tool's level, else the resource's, else the server's. A level that no rule names is granted to administrators
# alone.
level := input.tool.sensitivity_level if {
	input.action == "tool:invoke"
} else := input.resource.sensitivity_level if {
	input.resource.sensitivity_level != ""
} else := input.server.sensitivity_level

# A call of a sensitive tool is recorded with that severity.
obligations["severity"] := input.tool.sensitivity_level if {
	input.action == "tool:invoke"
	input.tool.sensitivity_level in {"high", "critical"}
}
