package api

import (
	"context"
	"errors"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"sark/store"
)

// DiscoveryError is a failed discovery in words that may be told to whoever registered the address.
type DiscoveryError struct {
	// Code is a stable word for machines: "unreachable", "timeout", "refused_address", "not_mcp" or "too_large".
	Code string
	// Err is for the log.
	Err error
}

// Error returns code and cause.
func (e *DiscoveryError) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *DiscoveryError) Unwrap() error { return e.Err }

// discovery is what came of asking a server for its tools. Which names a list holds is told, whether or not somebody has
// rated them; a tool that the server no longer has keeps its row, because its level was somebody's decision.
type discovery struct {
	Status  string   `json:"status"` // "ok" or "failed"
	Code    string   `json:"code,omitempty"`
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Missing []string `json:"missing"`
	Skipped int      `json:"skipped"` // tools that the registry cannot keep
}

// discoverTools answers POST /api/v1/servers/{id}/discover.
func (a *API) discoverTools(ctx context.Context, r *request) error {
	if a.o.Discoverer == nil {
		return &Problem{
			Status: fasthttp.StatusConflict, Code: "discovery_off", Detail: "Discovery is off; api.discover.enabled turns it on",
		}
	}
	var found *discovery
	_, err := a.change(ctx, r, func(s *store.Server) error {
		if s.Transport == "stdio" {
			return &Problem{Status: fasthttp.StatusConflict, Code: "no_endpoint", Detail: "A stdio server cannot be asked for its tools"}
		}
		if found = a.discover(ctx, s); found.Status == "ok" {
			return nil
		}
		return &Problem{
			Status: fasthttp.StatusBadGateway, Code: "discovery_failed", Detail: "The server could not be asked for its tools: " + found.Code,
		}
	}, a.o.Registry.SetTools)
	if err != nil {
		return err
	}
	return writeJSON(r.out, fasthttp.StatusOK, found)
}

// discover asks a server for its tools and adds them to those that are known. A new tool has the level of its server, as an
// unknown tool has; what its words suggest stands beside it.
func (a *API) discover(ctx context.Context, s *store.Server) *discovery {
	tools, err := a.o.Discoverer.Discover(ctx, s.Transport, s.Endpoint)
	if err != nil {
		a.o.Log.Info("discovery failed", zap.String("server_name", s.Name), zap.Error(err))
		out := &discovery{Status: "failed", Code: "unreachable", Added: []string{}, Changed: []string{}, Missing: []string{}}
		var told *DiscoveryError
		if errors.As(err, &told) {
			out.Code = told.Code
		}
		return out
	}
	return a.merge(s, tools)
}

func (a *API) merge(s *store.Server, found []store.Tool) *discovery {
	out := &discovery{Status: "ok", Added: []string{}, Changed: []string{}, Missing: []string{}}
	seen := map[string]bool{}
	merged := append([]store.Tool(nil), s.Tools...)
	for _, t := range found {
		t.SensitivityLevel = s.SensitivityLevel
		if !keepable(&t) || seen[t.Name] {
			out.Skipped++
			continue
		}
		seen[t.Name] = true
		a.suggest(&t)
		known := toolNamed(merged, t.Name)
		switch {
		case known == nil && len(merged) >= maxTools:
			out.Skipped++
		case known == nil:
			merged, out.Added = append(merged, t), append(out.Added, t.Name)
		case !sameTool(known, &t):
			known.Description, known.Parameters = t.Description, t.Parameters
			known.SuggestedLevel, known.SuggestedBy = t.SuggestedLevel, t.SuggestedBy
			out.Changed = append(out.Changed, t.Name)
		}
	}
	for i := range s.Tools {
		if name := s.Tools[i].Name; !seen[name] {
			out.Missing = append(out.Missing, name)
		}
	}
	s.Tools = merged
	return out
}

// keepable holds a tool that a server named against the rules for those that people name.
func keepable(t *store.Tool) bool {
	var m mistakes
	body := toolBody{Name: &t.Name, Description: t.Description, Parameters: []byte(t.Parameters)}
	body.validate(&m, 0)
	return len(m) == 0
}
