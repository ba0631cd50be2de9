# A gateway's policy of some forty rules, for the benchmark of what evaluating one costs: servers, roles and their tools in data,
# levels of sensitivity, hours, networks, a pattern for SQL, explanations and obligations.
package sark

default allow := false

# ---- decision document -------------------------------------------------
decision := {
	"allow": allow,
	"reason": reason,
	"rule": matched_rule,
	"obligations": obligations,
}

server := data.servers[input.server.id]

level := server.sensitivity

tool_key := concat("/", [server.class, input.tool.name])


is_admin if "admin" in input.principal.roles

allow if {
	server_active
	is_admin
	not denied
}

allow if {
	server_active
	method_ok
	level_ok
	not denied
}

server_active if server.status == "active"

# ---- methods ------------------------------------------------------------
method_ok if input.mcp.method == "initialize"

method_ok if input.mcp.method == "ping"

method_ok if input.mcp.method == "tools/list"

method_ok if {
	input.mcp.method == "tools/call"
	tool_permitted
}

method_ok if {
	input.mcp.method == "resources/read"
	some p in server.resource_prefixes
	startswith(input.mcp.uri, p)
}

tool_permitted if {
	some role in input.principal.roles
	data.role_tools[role][tool_key]
}

tool_permitted if {
	some team in input.principal.teams
	team == server.owner
}

# ---- sensitivity ----------------------------------------------------------
level_ok if level == "low"

level_ok if {
	level == "medium"
	input.principal.claims.verified == true
}

level_ok if {
	level == "high"
	working_hours
	team_member
}

level_ok if {
	level == "critical"
	input.principal.claims.mfa == true
	working_hours
	team_member
}

working_hours if {
	input.time.weekday in {1, 2, 3, 4, 5}
	input.time.hour >= 8
	input.time.hour < 18
}

team_member if {
	some team in input.principal.teams
	team in server.teams
}

# ---- denials ---------------------------------------------------------------
denied if count(deny) > 0

deny contains "sql-write" if {
	input.mcp.method == "tools/call"
	input.tool.name == "sql_query"
	regex.match(`(?i)\b(drop|delete|truncate|alter|grant)\b`, input.tool.parameters.query)
}

deny contains "blocked-network" if {
	some cidr in data.blocked_cidrs
	net.cidr_contains(cidr, input.request.client_ip)
}

deny contains "suspended-principal" if data.suspended[input.principal.id]

deny contains "path-escape" if {
	input.mcp.method == "resources/read"
	contains(input.mcp.uri, "..")
}

# ---- explanation -------------------------------------------------------------
default reason := "no rule allows this request"

reason := "administrator" if {
	allow
	is_admin
} else := sprintf("role or team may use %s at level %s", [input.tool.name, level]) if {
	allow
	input.mcp.method == "tools/call"
} else := "method allowed" if {
	allow
} else := concat(", ", sort(deny)) if {
	denied
} else := "server not active" if {
	not server_active
} else := "outside sensitivity conditions" if {
	not level_ok
}

default matched_rule := "default"

matched_rule := "admin" if {
	allow
	is_admin
} else := "method" if {
	allow
} else := "deny" if {
	denied
}

# ---- obligations ---------------------------------------------------------------
obligations := {
	"redact": redact,
	"cache": {"ttl": cache_ttl},
}

redact contains concat("", ["$.", f]) if {
	allow
	level in {"high", "critical"}
	some f in data.redact_fields[level]
}

default cache_ttl := 0

cache_ttl := 300 if {
	allow
	level == "low"
}

cache_ttl := 60 if {
	allow
	level == "medium"
}
