package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sark/store"
)

// page is the shape of every list. Total is null unless it was asked for and is known.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
	Total      *int    `json:"total"`
}

// serverItem is a server as lists show it.
type serverItem struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Transport        string   `json:"transport"`
	Status           string   `json:"status"`
	SensitivityLevel string   `json:"sensitivity_level"`
	OwnerID          *string  `json:"owner_id"`
	TeamID           *string  `json:"team_id"`
	Teams            []string `json:"teams"`
	Tags             []string `json:"tags"`
	CreatedAt        string   `json:"created_at"`
}

// serverDetail is a server as GET /api/v1/servers/{id} shows it. Empty text is null where the server may have none.
type serverDetail struct {
	ID               string          `json:"id"`
	Name             string          `json:"name"`
	Description      *string         `json:"description"`
	Transport        string          `json:"transport"`
	Endpoint         *string         `json:"endpoint"`
	Command          *string         `json:"command"`
	Version          string          `json:"version"`
	Capabilities     []string        `json:"capabilities"`
	Status           string          `json:"status"`
	SensitivityLevel string          `json:"sensitivity_level"`
	OwnerID          *string         `json:"owner_id"`
	TeamID           *string         `json:"team_id"`
	Teams            []string        `json:"teams"`
	Tags             []string        `json:"tags"`
	Tools            []toolDetail    `json:"tools"`
	Metadata         json.RawMessage `json:"metadata"`
	CreatedAt        string          `json:"created_at"`
	UpdatedAt        string          `json:"updated_at"`
	Revision         int64           `json:"revision"`
}

// toolDetail is a tool as part of a serverDetail.
type toolDetail struct {
	ID               string          `json:"id"`
	Name             string          `json:"name"`
	Description      *string         `json:"description"`
	Parameters       json.RawMessage `json:"parameters"`
	SensitivityLevel string          `json:"sensitivity_level"`
	RequiresApproval bool            `json:"requires_approval"`
	SuggestedLevel   *string         `json:"suggested_sensitivity_level"`
	SuggestedBy      []string        `json:"suggested_by"`
}

// listServers answers GET /api/v1/servers/.
func (a *API) listServers(ctx context.Context, r *request) error {
	q := readQuery(r, "limit", "cursor", "sort_order", "status", "sensitivity", "team_id", "team", "owner_id",
		"tags", "match_all_tags", "search", "include_total")
	filter := store.ServerFilter{
		Limit:        q.limit(),
		Cursor:       q.cursor(),
		Ascending:    q.word("sort_order", "asc", "desc") == "asc",
		Status:       q.words("status", store.Statuses()...),
		Sensitivity:  q.words("sensitivity", store.Sensitivities()...),
		TeamID:       q.text("team_id"),
		Team:         q.text("team"),
		OwnerID:      q.text("owner_id"),
		Tags:         q.words("tags"),
		MatchAllTags: q.flag("match_all_tags"),
		Search:       q.text("search"),
		IncludeTotal: q.flag("include_total"),
	}
	if q.err != nil {
		return q.err
	}
	found, err := a.o.Registry.Servers(ctx, filter)
	if err != nil {
		return storeProblem(err, "registry")
	}
	out := page[serverItem]{
		Items: make([]serverItem, len(found.Items)), NextCursor: optional(found.NextCursor),
		HasMore: found.HasMore, Total: found.Total,
	}
	for i := range found.Items {
		out.Items[i] = itemOf(&found.Items[i])
	}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}

// server answers GET /api/v1/servers/{id}.
func (a *API) server(ctx context.Context, r *request) error {
	found, err := a.current(ctx, r)
	if err != nil {
		return err
	}
	return r.reply(&found)
}

// parseID reads a UUID in its usual form of 36 characters.
func parseID(s string) (uuid.UUID, bool) {
	const usual = 36
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == usual
}

func itemOf(s *store.Server) serverItem {
	return serverItem{
		ID: s.ID, Name: s.Name, Transport: s.Transport, Status: s.Status,
		SensitivityLevel: s.SensitivityLevel, OwnerID: optional(s.OwnerID), TeamID: optional(s.TeamID), Teams: list(s.Teams),
		Tags: list(s.Tags), CreatedAt: stamp(s.CreatedAt),
	}
}

func detailOf(s *store.Server) serverDetail {
	return serverDetail{
		ID: s.ID, Name: s.Name, Description: optional(s.Description), Transport: s.Transport,
		Endpoint: optional(s.Endpoint), Command: optional(s.Command), Version: s.Version,
		Capabilities: list(s.Capabilities), Status: s.Status, SensitivityLevel: s.SensitivityLevel,
		OwnerID: optional(s.OwnerID), TeamID: optional(s.TeamID), Teams: list(s.Teams), Tags: list(s.Tags),
		Tools: toolsOf(s), Metadata: document(s.Metadata),
		CreatedAt: stamp(s.CreatedAt), UpdatedAt: stamp(s.UpdatedAt), Revision: s.Revision,
	}
}

// optional returns nil, which is encoded as null, for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// stamp renders a time as the API does everywhere: RFC 3339 in UTC, down to the microsecond.
func stamp(t time.Time) string {
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
