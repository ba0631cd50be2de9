package inspect

import (
	"github.com/google/uuid"

	"sark/store"
)

// Question is a built-in query under a name: one list of events or of servers.
type Question struct {
	Name    string
	About   string
	Takes   string // what its value is, for example "ID of the user"; empty when it takes none
	example string // the column of the newest row that has a value to ask for; empty: any text will do
	events  func(value string) store.EventFilter
	servers func(value string) store.ServerFilter
}

// Questions lists the built-in queries: what operators and the API ask the database most.
func Questions() []Question {
	return append(eventQuestions(), serverQuestions()...)
}

func eventQuestions() []Question {
	return []Question{
		{
			Name: "events", About: "a page of the trail, newest first",
			events: func(string) store.EventFilter { return store.EventFilter{} },
		},
		{
			Name: "event", About: "one event by its id", Takes: "ID of the event", example: "id",
			events: func(v string) store.EventFilter { return store.EventFilter{ID: parseID(v)} },
		},
		{
			Name: "exchange", About: "the events of one exchange", Takes: "ID of the exchange", example: "exchange_id",
			events: func(v string) store.EventFilter { return store.EventFilter{ExchangeID: parseID(v)} },
		},
		{
			Name: "decision", About: "the events of one decision", Takes: "ID of the decision", example: "decision_id",
			events: func(v string) store.EventFilter { return store.EventFilter{DecisionID: parseID(v)} },
		},
		{
			Name: "user-trail", About: "the trail of a user", Takes: "ID of the user", example: "user_id",
			events: func(v string) store.EventFilter { return store.EventFilter{UserID: v} },
		},
		{
			Name: "server-trail", About: "the trail of a server", Takes: "NAME of the server, or its id", example: "server_name",
			events: func(v string) store.EventFilter { return store.EventFilter{Server: v} },
		},
		{
			Name: "tool-trail", About: "the trail of a tool", Takes: "NAME of the tool", example: "tool_name",
			events: func(v string) store.EventFilter { return store.EventFilter{Tool: v} },
		},
		{
			Name: "type-trail", About: "the events of one type", Takes: "TYPE of event", example: "event_type",
			events: func(v string) store.EventFilter { return store.EventFilter{EventType: v} },
		},
		{
			Name: "denied", About: "what was denied",
			events: func(string) store.EventFilter { return store.EventFilter{Decision: "deny"} },
		},
	}
}

func serverQuestions() []Question {
	return []Question{
		{
			Name: "servers", About: "a page of the server list, newest first",
			servers: func(string) store.ServerFilter { return store.ServerFilter{} },
		},
		{
			Name: "servers-status", About: "the servers of a status", Takes: "STATUS", example: "status",
			servers: func(v string) store.ServerFilter { return store.ServerFilter{Status: []string{v}} },
		},
		{
			Name: "servers-sensitivity", About: "the active servers of a sensitivity", Takes: "LEVEL of sensitivity", example: "sensitivity_level",
			servers: func(v string) store.ServerFilter {
				return store.ServerFilter{Status: []string{"active"}, Sensitivity: []string{v}}
			},
		},
		{
			Name: "servers-team", About: "the servers of a team", Takes: "ID of the team", example: "team_id",
			servers: func(v string) store.ServerFilter { return store.ServerFilter{TeamID: v} },
		},
		{
			Name: "servers-owner", About: "the servers of an owner", Takes: "ID of the owner", example: "owner_id",
			servers: func(v string) store.ServerFilter { return store.ServerFilter{OwnerID: v} },
		},
		{
			Name: "servers-search", About: "the servers whose name or description holds a text; reads them all", Takes: "TEXT", example: "name",
			servers: func(v string) store.ServerFilter { return store.ServerFilter{Search: v} },
		},
	}
}

// parseID reads a UUID. One that is none finds nothing.
func parseID(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Max
	}
	return id
}

// sample is the statement that finds a value to ask for: that of the newest row that has one. A text cast makes it the same
// in both dialects.
func (q Question) sample() string {
	table, column, newest := "audit_events", q.example, `"timestamp"`
	if q.servers != nil {
		table, newest = "mcp_servers", "created_at"
	}
	return "SELECT " + column + " FROM " + table + " WHERE " + column + " IS NOT NULL ORDER BY " + newest + " DESC LIMIT 1"
}

// dialect writes the statements of one kind of database.
type dialect struct {
	events  func(store.EventFilter) (string, []any, error)
	servers func(store.ServerFilter) (string, []any, error)
}

func (q Question) statement(d dialect, value string) (string, []any, error) {
	if q.servers != nil {
		return d.servers(q.servers(value))
	}
	return d.events(q.events(value))
}
