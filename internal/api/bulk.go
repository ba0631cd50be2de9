package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"sark/authz"
	"sark/internal/mcp"
	"sark/store"
)

// maxBulk bounds the items of one bulk call.
const maxBulk = 100

// bulkReply is the outcome of a bulk call, item by item.
type bulkReply struct {
	Total     int        `json:"total"`
	Succeeded int        `json:"succeeded"`
	Failed    int        `json:"failed"`
	Done      []bulkItem `json:"succeeded_items"`
	Refused   []bulkItem `json:"failed_items"`
}

// bulkItem is one item: its place in the body, the server, and what became of it. Detail is as in the body of a Problem.
type bulkItem struct {
	Index      int    `json:"index"`
	ServerID   string `json:"server_id,omitempty"`
	Name       string `json:"name,omitempty"`
	Status     string `json:"status,omitempty"`
	Code       string `json:"code,omitempty"`
	Detail     any    `json:"detail,omitempty"`
	DecisionID string `json:"decision_id,omitempty"`
}

// bulkWrite is one item on its way into the registry.
type bulkWrite struct {
	index  int
	server *store.Server
	known  bool  // the registry has the server already, under its id
	err    error // why it cannot be written
}

// createServers answers POST /api/v1/bulk/servers/register.
func (a *API) createServers(ctx context.Context, r *request) error {
	var body struct {
		Servers          *[]registration `json:"servers"`
		FailOnFirstError bool            `json:"fail_on_first_error"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	if err := checkBulk("servers", body.Servers); err != nil {
		return err
	}
	items, networks := make([]bulkWrite, len(*body.Servers)), a.o.Networks()
	for i := range items {
		b := &(*body.Servers)[i]
		items[i] = bulkWrite{index: i, err: b.validate(false, networks)}
		s := a.newServer(b, r.caller.Principal)
		items[i].server = &s
		if items[i].err == nil {
			items[i].err = a.vacant(s.Name)
		}
		if items[i].err == nil {
			items[i].err = a.permitted(ctx, r, s.Name, authz.Resource{
				Type: "server", ID: s.Name, SensitivityLevel: s.SensitivityLevel, Teams: s.Teams, OwnerID: s.OwnerID,
			})
		}
	}
	return a.writeBulk(ctx, r, items, body.FailOnFirstError, a.o.Registry.CreateServers)
}

// statusChange is one item of PATCH /api/v1/bulk/servers/status.
type statusChange struct {
	ServerID string `json:"server_id"`
	Status   string `json:"status"`
}

// setStatuses answers PATCH /api/v1/bulk/servers/status.
func (a *API) setStatuses(ctx context.Context, r *request) error {
	var body struct {
		Updates          *[]statusChange `json:"updates"`
		FailOnFirstError bool            `json:"fail_on_first_error"`
	}
	if err := a.readBody(r, &body); err != nil {
		return err
	}
	if err := checkBulk("updates", body.Updates); err != nil {
		return err
	}
	items := make([]bulkWrite, len(*body.Updates))
	for i := range items {
		items[i] = a.statusWrite(ctx, r, &(*body.Updates)[i])
		items[i].index = i
	}
	// Replicas that write the same servers at once have to lock them in one order.
	slices.SortStableFunc(items, func(a, b bulkWrite) int { return strings.Compare(a.server.ID, b.server.ID) })
	return a.writeBulk(ctx, r, items, body.FailOnFirstError, a.o.Registry.UpdateServers)
}

func (a *API) statusWrite(ctx context.Context, r *request, u *statusChange) bulkWrite {
	s := store.Server{ID: u.ServerID, Status: u.Status}
	out := bulkWrite{server: &s, known: true}
	var m mistakes
	id, ok := parseID(u.ServerID)
	if !ok {
		m.add("uuid_parsing", "The id should be a UUID", "server_id")
	}
	checkStatus(&m, u.Status, "status")
	if out.err = m.problem(); out.err != nil {
		return out
	}
	if s, out.err = a.o.Registry.BareServer(ctx, id.String()); out.err != nil {
		out.err, s.ID = storeProblem(out.err, "registry"), u.ServerID
		return out
	}
	if out.err = a.permitted(ctx, r, s.ID, resourceOf(&s)); out.err == nil && s.Status == store.Decommissioned {
		out.err = &Problem{Status: fasthttp.StatusConflict, Code: "decommissioned", Detail: "The server is decommissioned"}
	}
	s.Status = u.Status
	return out
}

func checkBulk[T any](field string, items *[]T) error {
	var m mistakes
	if n := len(value(items)); n < 1 || n > maxBulk {
		m.add("too_long", "The list should have 1 to "+itoa(maxBulk)+" entries", field)
	}
	return m.problem()
}

// permitted asks the policy about one item. The whole call was decided without the items; each of them is what an own call
// about it would be.
func (a *API) permitted(ctx context.Context, r *request, name string, resource authz.Resource) error {
	call := mcp.Call{Kind: mcp.Plain, Action: r.call.Action, ResourceType: "server", Route: r.call.Route, Name: name}
	d := a.o.Decider.Decide(ctx, &authz.Input{
		Principal: r.caller.Principal, Call: &call, Resource: resource, Request: a.requestOf(r), Time: a.o.Now(),
	})
	o := &d.Obligations
	if d.Allow && o.Redact == nil && o.Limit == nil {
		return nil
	}
	return &Problem{
		Status: fasthttp.StatusForbidden, Code: "forbidden", Detail: or(d.Reason, "denied by policy"), DecisionID: d.ID,
	}
}

// writeBulk writes the items that may be written: all in one transaction, or none, when the caller wants no part of them; else
// as many as can be. Those that cannot be written in one transaction with the others are found by writing each on its own.
func (a *API) writeBulk(
	ctx context.Context, r *request, items []bulkWrite, together bool, write func(context.Context, ...*store.Server) error,
) error {
	sound := soundOf(items)
	refused := len(sound) < len(items)
	if together && refused {
		abandon(sound)
	} else if err := write(ctx, serversOf(sound)...); err != nil {
		var item *store.ItemError
		if !errors.As(err, &item) || outage(err) {
			return storeProblem(err, "registry")
		}
		sound[item.Index].err = storeProblem(err, "registry")
		if together {
			abandon(sound)
		} else {
			writeEach(ctx, sound, write)
		}
	}
	slices.SortFunc(items, func(a, b bulkWrite) int { return a.index - b.index })
	reply := bulkReplyOf(items)
	if reply.Succeeded > 0 {
		a.changed("")
	}
	r.details = told(map[string]any{"items": toldItems(items)})
	return writeJSON(r.out, fasthttp.StatusOK, reply)
}

// outage tells an error of the registry itself from one of a server.
func outage(err error) bool {
	for _, known := range []error{store.ErrNameTaken, store.ErrConflict, store.ErrNotFound} {
		if errors.Is(err, known) {
			return false
		}
	}
	return true
}

func soundOf(items []bulkWrite) []*bulkWrite {
	var sound []*bulkWrite
	for i := range items {
		if items[i].err == nil {
			sound = append(sound, &items[i])
		}
	}
	return sound
}

func serversOf(items []*bulkWrite) []*store.Server {
	servers := make([]*store.Server, len(items))
	for i := range items {
		servers[i] = items[i].server
	}
	return servers
}

// abandon gives up the items that had no mistake of their own.
func abandon(items []*bulkWrite) {
	for _, item := range items {
		if item.err == nil {
			item.err = &Problem{Status: fasthttp.StatusConflict, Code: "abandoned", Detail: "Another item failed and fail_on_first_error is set"}
		}
	}
}

func writeEach(ctx context.Context, items []*bulkWrite, write func(context.Context, ...*store.Server) error) {
	for _, item := range items {
		if item.err != nil {
			continue
		}
		if err := write(ctx, item.server); err != nil {
			item.err = storeProblem(err, "registry")
		}
	}
}

func bulkReplyOf(items []bulkWrite) bulkReply {
	reply := bulkReply{Total: len(items), Done: []bulkItem{}, Refused: []bulkItem{}}
	for i := range items {
		item := bulkItem{Index: items[i].index, Name: items[i].server.Name}
		var p *Problem
		if errors.As(items[i].err, &p) {
			if items[i].known {
				item.ServerID = items[i].server.ID
			}
			item.Code, item.Detail, item.DecisionID = p.Code, p.Detail, text(p.DecisionID)
			if p.Fields != nil {
				item.Detail = p.Fields
			}
			reply.Refused = append(reply.Refused, item)
			continue
		}
		item.ServerID, item.Status = items[i].server.ID, items[i].server.Status
		reply.Done = append(reply.Done, item)
	}
	reply.Succeeded, reply.Failed = len(reply.Done), len(reply.Refused)
	return reply
}

// toldItems is what the audit event of a bulk call tells of its items, few words each.
func toldItems(items []bulkWrite) []map[string]any {
	list := make([]map[string]any, len(items))
	for i := range items {
		s := items[i].server
		list[i] = map[string]any{"name": s.Name, "status": s.Status, "outcome": "ok"}
		var p *Problem
		failed := errors.As(items[i].err, &p)
		if failed {
			list[i]["outcome"] = p.Code
		}
		if items[i].known || !failed {
			list[i]["server_id"] = s.ID
		}
	}
	return list
}
