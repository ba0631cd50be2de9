package sark_test

import data.sark

# proving is a call of the tool report by an administrator with claims, under a configuration.
proving(level, claims, config) := object.union(use("admin", level), {
	"principal": object.union({"claims": claims}, object.filter(claims, ["mfa_verified"])),
	"policy_config": config,
})

test_nothing_needs_a_factor_by_default if allowed(proving("critical", {}, {}))

test_levels_that_need_a_factor if {
	config := {"mfa_required_levels": ["critical"]}
	rule(proving("critical", {}, config)) == "mfa_required.not_verified"
	allowed(proving("critical", {"mfa_verified": true}, config))
	allowed(proving("high", {}, config))
}

test_tools_that_need_a_factor if {
	not allowed(proving("low", {}, {"mfa_required_tools": ["report"]}))
	allowed(proving("low", {}, {"mfa_required_tools": ["other"]}))
}

test_actions_that_need_a_factor if {
	config := {"mfa_required_actions": ["server:delete"]}
	deletion := object.union(ask("admin", "server:delete"), {"policy_config": config})
	rule(deletion) == "mfa_required.not_verified"
	allowed(object.union(deletion, {"principal": {"mfa_verified": true}}))
}

test_proofs if {
	config := {"mfa_required_levels": ["critical"]}
	allowed(proving("critical", {"amr": ["pwd", "mfa"]}, config))
	every claims in [{"mfa_verified": "true"}, {"mfa_verified": 1}, {"mfa_verified": false}, {"amr": "mfa"}, {"amr": ["pwd"]}] {
		not allowed(proving("critical", claims, config))
	}
}

test_methods if {
	config := {"mfa_required_levels": ["critical"], "mfa_methods": ["webauthn"]}
	allowed(proving("critical", {"mfa_verified": true, "mfa_methods": ["sms", "webauthn"]}, config))
	not allowed(proving("critical", {"mfa_verified": true, "mfa_methods": ["sms"]}, config))
	not allowed(proving("critical", {"mfa_verified": true}, config))
	not allowed(proving("critical", {"mfa_methods": ["webauthn"]}, config))
}

test_exempt_from_factor if {
	config := {"mfa_required_levels": ["critical"], "mfa_exempt_roles": ["admin"]}
	allowed(proving("critical", {}, config))
	not allowed(proving("critical", {}, object.union(config, {"mfa_exempt_roles": "admin"})))
}

test_lists_show_what_a_factor_would_open if {
	allowed(show(proving("critical", {}, {"mfa_required_levels": ["critical"]})))
}

test_settings_that_are_no_lists if {
	every name in ["mfa_required_levels", "mfa_required_tools", "mfa_required_actions"] {
		rule(proving("low", {}, {name: "critical"})) == "mfa_required.not_verified"
		allowed(proving("low", {"mfa_verified": true}, {name: "critical"}))
	}
}
