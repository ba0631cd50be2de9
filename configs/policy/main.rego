# The default policy of SARK.
#
# The gateway asks for one rule, decision. It is put together from three objects that every file of this package, and every
# file that you add to it, may contribute to:
#
#   grant[rule] := reason        what allows a request
#   deny[rule] := reason         what forbids it, whatever grants it
#   obligations[name] := demand  what an allow demands of the gateway
#   missing_scopes contains s    what a token would need in place of a denial for want of a grant: the client is told
#
# A request that nothing grants is denied. Of several grants or denials the first by name is reported.
package sark

# METADATA
# title: Decision
# description: The one entry point, asked for every request and for every item of a list result.
# entrypoint: true
decision := denials[0] if {
	count(denials) > 0
} else := grants[0] if {
	count(grants) > 0
} else := {"allow": false, "reason": refusal.reason, "rule": refusal.rule, "scopes": missing_scopes} if {
	count(missing_scopes) > 0
} else := {"allow": false, "reason": refusal.reason, "rule": refusal.rule}

denials := [d |
	some rule, reason in deny
	d := {"allow": false, "reason": reason, "rule": rule}
]

grants := [g |
	some rule, reason in grant
	g := {"allow": true, "reason": reason, "rule": rule, "obligations": obligations}
]

# refusal explains a deny that comes from the lack of any grant.
refusal := {"rule": "main.unauthenticated", "reason": "authentication is required"} if {
	not input.principal.authenticated
	not known
} else := {"rule": "main.unknown_role", "reason": "none of your roles is known to the policy"} if {
	not known
} else := {"rule": "main.not_granted", "reason": concat("", ["your roles do not allow ", input.action, " at sensitivity ", level])} if {
	level != ""
} else := {"rule": "main.not_granted", "reason": concat("", ["your roles do not allow ", input.action])} if {
	input.action
} else := {"rule": "main.not_granted", "reason": "the request names no action"}

# listing is true while the gateway asks whether an item of a list may be shown.
listing if input.mcp.phase == "list"
