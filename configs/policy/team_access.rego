# Team access: a server that names teams is for their members.
package sark

# teams are the teams of the server, or of the registered server that the request is about.
teams contains team if some team in input.server.teams

teams contains team if some team in input.resource.teams

member if {
	some team in input.principal.teams
	team in teams
}

owner if {
	input.resource.owner_id != ""
	input.resource.owner_id == input.principal.id
}

restricted if using

restricted if input.action in {"server:read", "server:update", "server:delete"}

deny["team_access.not_member"] := "the server is for members of its teams" if {
	restricted
	count(teams) > 0
	not member
	not owner
	not admin
	not auditing
}

# Auditors see every registered server, so that they can read its trail.
auditing if {
	input.action == "server:read"
	"auditor" in input.principal.roles
}

grant["team_access.member"] := "developers may use what is of high sensitivity within their team" if {
	"developer" in input.principal.roles
	using
	level == "high"
	member
}
