package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Server is an MCP server in the registry.
type Server struct {
	ID               string // a UUID; made by the store when empty
	Name             string // 1 to 255 bytes, unique among servers that are not decommissioned
	Description      string
	Transport        string // "http", "sse" or "stdio"
	Endpoint         string // the URL, for http and sse
	Command          string // the command line, for stdio
	Version          string // the MCP revision that the server speaks
	Capabilities     []string
	Tools            []Tool
	SensitivityLevel string // one of Sensitivities
	Signature        string
	Status           string // one of Statuses; the store makes it "registered" when empty
	OwnerID          string
	TeamID           string   // the team that manages the server
	Teams            []string // the teams whose members may use it
	Tags             []string
	Metadata         json.RawMessage // a JSON object, or nil
	CreatedAt        time.Time       // set by the store, UTC, microseconds
	UpdatedAt        time.Time       // set by the store, UTC, microseconds
	Revision         int64           // set by the store: 1, and one more with every change
}

// Tool is a tool of a registered server.
type Tool struct {
	ID               string // a UUID; made by the store when empty
	Name             string
	Description      string
	Parameters       json.RawMessage // the JSON Schema of its arguments, or nil
	SensitivityLevel string          // one of Sensitivities
	Signature        string
	RequiresApproval bool
	SuggestedLevel   string   // what the words of a discovered tool suggest, one of Sensitivities; "" for none
	SuggestedBy      []string // the words that suggest it
}

// Statuses lists the states of a registered server. Only active servers are routed; a decommissioned one keeps its row.
func Statuses() []string {
	return []string{"registered", "active", "inactive", "unhealthy", Decommissioned}
}

// Decommissioned is the last status of a server: it is kept for the trail, its name is free, and it never changes again.
const Decommissioned = "decommissioned"

// Sensitivities lists the sensitivity levels of servers and tools, least first.
func Sensitivities() []string { return []string{"low", "medium", "high", "critical"} }

// The limits of one page of a list.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// ServerFilter selects servers. Filters are joined by AND, the values of one filter by OR; a zero field selects all.
type ServerFilter struct {
	Limit        int    // 1 to MaxLimit; 0 is DefaultLimit
	Cursor       string // NextCursor of the page before, or empty
	Ascending    bool   // oldest first instead of newest first
	Status       []string
	Sensitivity  []string
	TeamID       string // the team that manages it
	Team         string // a team whose members may use it
	OwnerID      string
	Tags         []string
	MatchAllTags bool   // every tag instead of any
	Search       string // part of name or description, in any case; % and _ stand for themselves
	IncludeTotal bool
}

// Validate reports the first filter whose value could never match, as a FilterError.
func (f *ServerFilter) Validate() error {
	if err := among("status", f.Status, Statuses()); err != nil {
		return err
	}
	if err := among("sensitivity", f.Sensitivity, Sensitivities()); err != nil {
		return err
	}
	return validLimit(f.Limit)
}

// PageSize is the limit that is in force.
func (f *ServerFilter) PageSize() int { return pageSize(f.Limit) }

// ServerPage is one page of a list of servers. Items carry no tools.
type ServerPage struct {
	Items      []Server
	NextCursor string // for the next page; empty on the last one
	HasMore    bool
	Total      *int // of all pages, when asked for
}

func among(field string, values, known []string) error {
	for _, v := range values {
		if !slices.Contains(known, v) {
			return &FilterError{Field: field, Value: v}
		}
	}
	return nil
}

func validLimit(limit int) error {
	if limit < 0 || limit > MaxLimit {
		return &FilterError{Field: "limit", Value: strconv.Itoa(limit)}
	}
	return nil
}

func pageSize(limit int) int {
	if limit == 0 {
		return DefaultLimit
	}
	return limit
}
