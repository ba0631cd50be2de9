package sark_test

import data.sark

# team_call is a call of a tool on a server of team red.
team_call(role, level, teams) := object.union(use(role, level), {
	"principal": {"teams": teams},
	"server": {"teams": ["red"]},
})

test_members_use_their_teams_server if allowed(team_call("analyst", "low", ["blue", "red"]))

test_others_do_not if {
	rule(team_call("analyst", "low", ["blue"])) == "team_access.not_member"
	rule(team_call("analyst", "low", [])) == "team_access.not_member"
	not allowed(show(team_call("analyst", "low", ["blue"])))
}

test_admins_need_no_team if allowed(team_call("admin", "critical", []))

test_connecting_needs_no_team if {
	allowed(object.union(ask("none", "mcp:initialize"), {"server": {"teams": ["red"]}}))
}

test_developers_reach_high_within_their_team if {
	rule(team_call("developer", "high", ["red"])) == "team_access.member"
	not allowed(team_call("developer", "critical", ["red"]))
	not allowed(team_call("developer", "high", ["blue"]))
	not allowed(team_call("analyst", "high", ["red"]))
	not allowed(use("developer", "high"))
}

# registered is a request about a registered server of team red.
registered(role, action, principal) := object.union(ask(role, action), {
	"principal": principal,
	"resource": {"type": "server", "id": "s", "teams": ["red"], "owner_id": "owner", "sensitivity_level": "low"},
})

test_registered_servers if {
	allowed(registered("viewer", "server:read", {"teams": ["red"]}))
	rule(registered("viewer", "server:read", {})) == "team_access.not_member"
	allowed(registered("viewer", "server:read", {"id": "owner"}))
	allowed(registered("auditor", "server:read", {}))
	allowed(registered("admin", "server:read", {}))
}

test_nobody_owns_what_has_no_owner if {
	request := object.union(registered("viewer", "server:read", {"id": ""}), {"resource": {"owner_id": ""}})
	not allowed(request)
}
