package api

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"sark/internal/mcp"
)

// The names of the routes: Call.Route, and the label of a route in cache rules and metrics.
const (
	RouteServersList       = "servers.list"
	RouteServersGet        = "servers.get"
	RouteServersCreate     = "servers.create"
	RoutePolicyEvaluate    = "policy.evaluate"
	RouteAuditEvents       = "audit.events"
	RouteAuditKeys         = "audit.keys"
	RouteAuditHead         = "audit.head"
	RouteHealth            = "health"
	RouteHealthLive        = "health.live"
	RouteHealthReady       = "health.ready"
	RouteHealthStartup     = "health.startup"
	RouteHealthDetailed    = "health.detailed"
	RouteHealthPools       = "health.pools"
	RouteServersUpdate     = "servers.update"
	RouteServersDelete     = "servers.delete"
	RouteServersBulkCreate = "servers.bulk_create"
	RouteServersBulkStatus = "servers.bulk_status"
	RouteServersTools      = "servers.tools"
	RouteServersSetTools   = "servers.set_tools"
	RouteServersRateTools  = "servers.rate_tools"
	RouteServersTeams      = "servers.set_teams"
	RouteServersOwner      = "servers.set_owner"
	RouteServersDiscover   = "servers.discover"
	RouteAuditRollups      = "audit.rollups"
	RouteAuditEvent        = "audit.event"
	RouteCacheStats        = "cache.stats"
	RouteCachePurge        = "cache.invalidate"
	RoutePolicyList        = "policy.list"
	RoutePolicyValidate    = "policy.validate"
	RoutePolicyExplain     = "policy.explain"
	RouteGatewayAuthorize  = "gateway.authorize"
)

// route is one row of the table.
type route struct {
	name         string
	method       string
	path         string // without the last slash; {id} stands for one segment
	action       string
	resourceType string
	readOnly     bool
	public       bool
	serve        handler
}

// resourceUser is the resource type of a call that is about a user.
const resourceUser = "user"

// idSegment stands for the identifier in a path.
const idSegment = "{id}"

// table holds every route. A path that is fixed stands before a pattern that would match it too.
var table = [...]route{
	{RouteServersList, fasthttp.MethodGet, "/api/v1/servers", "server:read", "server", true, false, (*API).listServers},
	{RouteServersCreate, fasthttp.MethodPost, "/api/v1/servers", "server:register", "server", false, false, (*API).createServer},
	{RouteServersGet, fasthttp.MethodGet, "/api/v1/servers/{id}", "server:read", "server", true, false, (*API).server},
	{RouteServersUpdate, fasthttp.MethodPatch, "/api/v1/servers/{id}", "server:update", "server", false, false, (*API).updateServer},
	{RouteServersDelete, fasthttp.MethodDelete, "/api/v1/servers/{id}", "server:delete", "server", false, false, (*API).deleteServer},
	{RouteServersTools, fasthttp.MethodGet, "/api/v1/servers/{id}/tools", "server:read", "server", true, false, (*API).listTools},
	{RouteServersSetTools, fasthttp.MethodPut, "/api/v1/servers/{id}/tools", "server:update", "server", false, false, (*API).setTools},
	{RouteServersRateTools, fasthttp.MethodPatch, "/api/v1/servers/{id}/tools", "server:update", "server", false, false, (*API).rateTools},
	{RouteServersTeams, fasthttp.MethodPut, "/api/v1/servers/{id}/teams", "server:update", "server", false, false, (*API).setTeams},
	{RouteServersOwner, fasthttp.MethodPut, "/api/v1/servers/{id}/owner", "server:update", "server", false, false, (*API).setOwner},
	{RouteServersDiscover, fasthttp.MethodPost, "/api/v1/servers/{id}/discover", "server:update", "server", false, false, (*API).discoverTools},
	{RouteServersBulkCreate, fasthttp.MethodPost, "/api/v1/bulk/servers/register", "server:register", "server", false, false, (*API).createServers},
	{RouteServersBulkStatus, fasthttp.MethodPatch, "/api/v1/bulk/servers/status", "server:update", "server", false, false, (*API).setStatuses},
	{RoutePolicyEvaluate, fasthttp.MethodPost, "/api/v1/policy/evaluate", "policy:evaluate", "policy", true, false, (*API).evaluate},
	{RoutePolicyList, fasthttp.MethodGet, "/api/v1/policy/list", "policy:read", "policy", true, false, (*API).listPolicies},
	{RoutePolicyValidate, fasthttp.MethodPost, "/api/v1/policy/validate", "policy:validate", "policy", true, false, (*API).validatePolicy},
	{RoutePolicyExplain, fasthttp.MethodGet, "/api/v1/policy/explain/{id}", "audit:read", "decision", true, false, (*API).explain},
	{RouteGatewayAuthorize, fasthttp.MethodPost, "/api/v1/gateway/authorize", "policy:evaluate", "policy", true, false, (*API).authorize},
	{RouteAuditEvents, fasthttp.MethodGet, "/api/v1/audit/events", "audit:read", "audit", true, false, (*API).listEvents},
	{RouteAuditKeys, fasthttp.MethodGet, "/api/v1/audit/keys", "audit:read", "audit", true, false, (*API).auditKeys},
	{RouteAuditHead, fasthttp.MethodGet, "/api/v1/audit/head", "audit:read", "audit", true, false, (*API).auditHead},
	{RouteAuditEvent, fasthttp.MethodGet, "/api/v1/audit/events/{id}", "audit:read", "audit", true, false, (*API).event},
	{RouteCacheStats, fasthttp.MethodGet, "/api/v1/cache/stats", "cache:read", "cache", true, false, (*API).cacheStats},
	{RouteCachePurge, fasthttp.MethodPost, "/api/v1/cache/invalidate", "cache:invalidate", "cache", false, false, (*API).invalidateCache},
	{RouteAuditRollups, fasthttp.MethodGet, "/api/v1/audit/rollups", "audit:read", "audit", true, false, (*API).listRollups},
	{RouteHealth, fasthttp.MethodGet, "/health", "health:read", "health", true, true, (*API).probe},
	{RouteHealthLive, fasthttp.MethodGet, "/health/live", "health:read", "health", true, true, (*API).probe},
	{RouteHealthReady, fasthttp.MethodGet, "/health/ready", "health:read", "health", true, true, (*API).probe},
	{RouteHealthStartup, fasthttp.MethodGet, "/health/startup", "health:read", "health", true, true, (*API).probe},
	{RouteHealthDetailed, fasthttp.MethodGet, "/health/detailed", "health:read", "health", true, false, (*API).healthDetailed},
	{RouteHealthPools, fasthttp.MethodGet, "/health/pools", "health:read", "health", true, false, (*API).healthPools},
}

// Route finds the route of a request by its method and raw path without the query, with or without a last slash. The
// status is 0 when there is one, 405 when the path has others (see Allow), else 404. HEAD finds what GET finds.
//
// Call.Name is what the call is about: the identifier in the path, whose form is checked by the handler, the name of the
// server to register, or (with resource type "user") the user to evaluate policies as. Call.Arguments is the body of a
// write when that is one strict JSON object, for policies to read; any other body is refused by the handler. The call aliases
// path and body.
func (a *API) Route(method, path string, body []byte) (mcp.Call, int) {
	status := fasthttp.StatusNotFound
	for i := range table {
		row := &table[i]
		id, ok := match(row.path, path)
		if !ok {
			continue
		}
		if !row.answers(method) {
			status = fasthttp.StatusMethodNotAllowed
			continue
		}
		if _, ok := parseID(id); ok {
			id = strings.ToLower(id) // as the registry and the trail write it, for whoever searches there (RFC 9562 section 4)
		}
		call := mcp.Call{
			Kind: mcp.Plain, Action: row.action, ResourceType: row.resourceType, Name: id,
			Route: row.name, ReadOnly: row.readOnly,
		}
		if row.method != fasthttp.MethodGet {
			a.peek(&call, body)
		}
		return call, 0
	}
	return mcp.Call{}, status
}

// peek reads of a body what the call is about. A body that is not one strict object leaves the call as it is.
func (a *API) peek(call *mcp.Call, body []byte) {
	var about struct {
		Name   string `json:"name"`
		UserID string `json:"user_id"`
	}
	if len(body) > a.o.MaxBodyBytes || decode(body, &about, json.RejectUnknownMembers(false)) != nil {
		return
	}
	call.Arguments = body
	switch {
	case call.Route == RouteServersCreate:
		call.Name = about.Name
	case call.Route == RoutePolicyEvaluate && about.UserID != "":
		call.ResourceType, call.Name = resourceUser, about.UserID
	}
}

// Allow returns the value of the Allow header for a 405 (RFC 9110 section 10.2.1), or "" for a path without routes.
func (a *API) Allow(path string) string {
	var methods []string
	for i := range table {
		if _, ok := match(table[i].path, path); !ok {
			continue
		}
		methods = append(methods, table[i].method)
		if table[i].method == fasthttp.MethodGet {
			methods = append(methods, fasthttp.MethodHead)
		}
	}
	return strings.Join(methods, ", ")
}

// Public reports whether a route is served without a credential and without a decision: the four health probes.
func (a *API) Public(route string) bool {
	row := rowOf(route)
	return row != nil && row.public
}

// match compares a path with a pattern of the table and returns the segment that stands for {id}.
func match(pattern, path string) (id string, ok bool) {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	before, after, isPattern := strings.Cut(pattern, idSegment)
	if !isPattern {
		return "", path == pattern
	}
	id, ok = strings.CutPrefix(path, before)
	if ok {
		id, ok = strings.CutSuffix(id, after)
	}
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", false
	}
	return id, true
}

func (r *route) answers(method string) bool {
	return method == r.method || (method == fasthttp.MethodHead && r.method == fasthttp.MethodGet)
}

// rowOf returns the row with a name, or nil.
func rowOf(name string) *route {
	i := slices.IndexFunc(table[:], func(r route) bool { return r.name == name })
	if i < 0 {
		return nil
	}
	return &table[i]
}
