# Second factors: what may be used only by those who proved who they are with more than one. Nothing asks for it until
# policy_config does:
#
#   mfa_required_levels: [critical]        # what is used at these levels
#   mfa_required_tools: [delete_customer]  # these tools, whatever their level
#   mfa_required_actions: [server:delete]  # these actions
#   mfa_methods: [totp, webauthn]          # one of these has to be among principal.claims.mfa_methods; any when missing
#   mfa_exempt_roles: [service]            # who has no second factor
#
# The proof is the claim mfa_verified, or "mfa" in the claim amr (RFC 8176). Lists show what a second factor would open, so
# that clients know what to ask for it for.
package sark

deny["mfa_required.not_verified"] := "this needs a second factor" if {
	factor_needed
	not factor_given
	not exempt_from_factor
	not listing
}

factor_needed if {
	levels := input.policy_config.mfa_required_levels
	using
	level in levels
}

factor_needed if {
	input.action == "tool:invoke"
	input.tool.name in input.policy_config.mfa_required_tools
}

factor_needed if input.action in input.policy_config.mfa_required_actions

# A setting that is no list is a mistake of whoever wrote it: everything needs a second factor until it is corrected.
factor_needed if {
	using
	some name in ["mfa_required_levels", "mfa_required_tools", "mfa_required_actions"]
	not is_array(object.get(input.policy_config, name, []))
}

factor_given if {
	proved
	not input.policy_config.mfa_methods
}

factor_given if {
	proved
	some method in input.principal.claims.mfa_methods
	method in input.policy_config.mfa_methods
}

proved if input.principal.mfa_verified == true

proved if "mfa" in input.principal.claims.amr

exempt_from_factor if {
	some role in input.policy_config.mfa_exempt_roles
	role in input.principal.roles
}
