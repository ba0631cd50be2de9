package api

import (
	"context"

	"sark/store"
)

// setTeams answers PUT /api/v1/servers/{id}/teams: who manages the server, and whose members may use it.
func (a *API) setTeams(ctx context.Context, r *request) error {
	var body struct {
		TeamID string    `json:"team_id"`
		Teams  *[]string `json:"teams"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	var m mistakes
	if body.Teams == nil {
		m.add("missing", "The field is required; [] leaves the server without teams", "teams")
	}
	m.lines(value(body.Teams), maxTeams, maxName, "teams")
	m.line(body.TeamID, maxName, "team_id")
	if err := m.problem(); err != nil {
		return err
	}
	return a.changeOwnership(ctx, r, func(s *store.Server) error {
		s.Teams, s.TeamID = *body.Teams, body.TeamID
		if s.TeamID == "" && len(s.Teams) > 0 {
			s.TeamID = s.Teams[0]
		}
		return nil
	})
}

// setOwner answers PUT /api/v1/servers/{id}/owner: the server belongs to another principal from now on.
func (a *API) setOwner(ctx context.Context, r *request) error {
	var body struct {
		OwnerID string `json:"owner_id"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	var m mistakes
	if body.OwnerID == "" {
		m.add("missing", "The field is required: the id of a principal", "owner_id")
	}
	m.line(body.OwnerID, maxName, "owner_id")
	if err := m.problem(); err != nil {
		return err
	}
	return a.changeOwnership(ctx, r, func(s *store.Server) error { s.OwnerID = body.OwnerID; return nil })
}

func (a *API) changeOwnership(ctx context.Context, r *request, apply func(*store.Server) error) error {
	s, err := a.change(ctx, r, apply, a.writeServer)
	if err != nil {
		return err
	}
	return r.reply(&s)
}
