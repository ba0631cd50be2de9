package indexes

import "strings"

// Index is one index that our queries rely on.
type Index struct {
	Name   string // the same in every database
	Table  string
	Keys   string // the columns and their order, as they stand between the parentheses of CREATE INDEX
	Where  string // the condition of a partial index, or empty
	Serves string // the question that it answers, for people
}

// All lists every index that is no constraint, in the order in which they are built: those of the registry, which are small,
// before those of the trail. The nine that operators of the reference system know have its names.
func All() []Index {
	return append(registry(), trail()...)
}

// registry lists the indexes of servers and their tools.
func registry() []Index {
	const servers, tools = "mcp_servers", "mcp_tools"
	return []Index{
		{"idx_mcp_servers_status", servers, `status`, "", "servers by status"},
		{"idx_mcp_servers_sensitivity", servers, `sensitivity_level`, "", "servers by sensitivity"},
		{"idx_mcp_servers_status_sensitivity", servers, `status, sensitivity_level`, "", "servers by status and sensitivity"},
		{"idx_mcp_servers_created_at", servers, `created_at DESC`, "", "newest servers"},
		{"idx_mcp_servers_status_created", servers, `status, created_at DESC`, "", "newest servers of a status"},
		{"idx_mcp_servers_created_id", servers, `created_at DESC, id DESC`, "", "pages of the server list"},
		{"idx_mcp_servers_owner", servers, `owner_id`, "", "servers of an owner"},
		{"idx_mcp_servers_team", servers, `team_id`, "", "servers of a team"},
		{"idx_mcp_tools_server", tools, `server_id`, "", "tools of a server"},
		{"idx_mcp_tools_sensitivity", tools, `sensitivity_level`, "", "tools by sensitivity"},
	}
}

// trail lists the indexes of audit events, decision inputs and what is still to be counted.
func trail() []Index {
	const events, inputs = "audit_events", "decision_inputs"
	return []Index{
		{"idx_audit_events_user_time", events, `user_id, "timestamp" DESC`, "", "trail of a user"},
		{"idx_audit_events_type_time", events, `event_type, "timestamp" DESC`, "", "trail of an event type"},
		{"idx_audit_events_server_time", events, `server_id, "timestamp" DESC`, "", "trail of a server, by its id"},
		{"idx_audit_events_severity", events, `severity, "timestamp" DESC`, `severity IN ('high', 'critical')`, "events of high and critical severity"},
		{"idx_audit_events_time_id", events, `"timestamp" DESC, id DESC`, "", "pages of the trail"},
		{"idx_audit_events_server_name_time", events, `server_name, "timestamp" DESC`, "", "trail of a server, by its name"},
		{"idx_audit_events_tool_time", events, `tool_name, "timestamp" DESC`, `tool_name IS NOT NULL`, "trail of a tool"},
		{"idx_audit_events_writer_seq", events, `writer_id, seq`, "", "trail of a writer by its numbers: audit verify, and receivers that were away"},
		{"idx_decision_inputs_time", inputs, `"timestamp" DESC`, "", "newest decision inputs"},
	}
}

// tables lists the tables that have indexes of ours, in their order.
func tables() []string {
	var names []string
	for _, x := range All() {
		if len(names) == 0 || names[len(names)-1] != x.Table {
			names = append(names, x.Table)
		}
	}
	return names
}

// statement writes CREATE INDEX with what its dialect and the table's shape put before the name, before the table and before
// the condition.
func (x Index) statement(before, name, on, table, with string) string {
	var b strings.Builder
	b.WriteString("CREATE INDEX " + before + name + " ON " + on + table + " (" + x.Keys + ")" + with)
	if x.Where != "" {
		b.WriteString(" WHERE " + x.Where)
	}
	return b.String()
}
