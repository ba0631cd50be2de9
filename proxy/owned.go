package proxy

import (
	"strconv"

	"sark/internal/audit"
	"sark/internal/mcp"
	"sark/internal/session"
)

// owned refuses what belongs to somebody else: a session, the address of one, a task, or a question that no server has
// asked of the caller. Knowing an id is no authority.
func (h *Handler) owned(x *Exchange) bool {
	if x.target.kind != kindMCP || h.o.Sessions == nil {
		return true
	}
	return h.session(x) && h.addressed(x) && h.task(x) && h.answered(x)
}

// binding is the name of what the parts tell, none of which can be taken for another.
func (x *Exchange) binding(parts ...string) []byte {
	b := x.scratch[:0]
	for _, part := range parts {
		b = appendSized(b, part)
	}
	x.scratch = b
	return b
}

// bind makes something the caller's; false when it is somebody else's.
func (h *Handler) bind(x *Exchange, kind session.Kind, parts ...string) (bool, error) {
	if h.o.Sessions == nil {
		return true, nil
	}
	owner := x.owner()
	return h.o.Sessions.Bind(x.context(), kind, x.binding(parts...), owner, h.o.Now())
}

// owns reports whether something is the caller's.
func (h *Handler) owns(x *Exchange, kind session.Kind, parts ...string) (bool, error) {
	if h.o.Sessions == nil {
		return true, nil
	}
	owner := x.owner()
	return h.o.Sessions.Owned(x.context(), kind, x.binding(parts...), owner, h.o.Now())
}

// unless refuses with p what is not the caller's, and with 503 what nobody can say of.
func (x *Exchange) unless(mine bool, err error, p *Problem) bool {
	switch {
	case err != nil:
		return x.refuse(sessionsUnavailable(err))
	case !mine:
		return x.refuse(p)
	}
	return true
}

// task refuses a task of another caller, and one that nobody has, as a server refuses one that it does not know.
func (h *Handler) task(x *Exchange) bool {
	if x.Call.Era == mcp.Modern && x.Call.Method == "tasks/result" { // there is no such method any more, whoever asks
		return x.refuse(&Problem{Status: 404, Code: mcp.CodeMethodNotFound, Rule: "task", Reason: "method not found", Outcome: audit.OutcomeDenied})
	}
	if x.Call.ResourceType == "task" {
		mine, err := h.hasTask(x, x.Call.Name)
		return x.unless(mine, err, unknownTask(x.Call.Name))
	}
	if x.Call.Method != "subscriptions/listen" {
		return true
	}
	for _, id := range mcp.Strings(mcp.Member(mcp.Member(x.Call.Params, "notifications"), "taskIds")) {
		if mine, err := h.hasTask(x, id); !x.unless(mine, err, unknownTask(id)) {
			return false
		}
	}
	return true
}

func unknownTask(id string) *Problem {
	return &Problem{Status: 404, Code: mcp.CodeInvalidParams, Rule: "task", Reason: "unknown task " + strconv.Quote(id), Outcome: audit.OutcomeDenied, Unknown: true}
}

func (h *Handler) hasTask(x *Exchange, id string) (bool, error) {
	return h.owns(x, session.Task, x.target.server.name, id)
}

// created makes a task that a server has just created the caller's. It returns a problem when the server gave out the id of
// another caller's task.
func (h *Handler) created(x *Exchange, r *mcp.Reply) *Problem {
	if r.TaskID == "" || x.Call.ResourceType == "task" {
		return nil
	}
	switch mine, err := h.bind(x, session.Task, x.target.server.name, r.TaskID); {
	case err != nil:
		return sessionsUnavailable(err)
	case mine:
		return nil
	}
	return &Problem{Status: 502, Rule: "task", Reason: "the server gave out a task of another caller", Outcome: audit.OutcomeUpstreamFailed}
}

// asked remembers that a server's request goes to the client, whose answer will come in a request of its own.
func (h *Handler) asked(x *Exchange, id []byte) bool {
	mine, err := h.bind(x, session.Question, x.question(id)...)
	return mine && err == nil
}

// answered refuses a client's answer to what no server has asked of it.
func (h *Handler) answered(x *Exchange) bool {
	if x.Call.Kind != mcp.Response {
		return true
	}
	mine, err := h.owns(x, session.Question, x.question(x.Call.ID)...)
	return x.unless(mine, err, &Problem{Status: 400, Code: mcp.CodeInvalidRequest, Rule: "unasked", Reason: "nobody has asked for this response", Outcome: audit.OutcomeDenied})
}

// done forgets a server's request that was answered.
func (h *Handler) done(x *Exchange) {
	owner := x.owner()
	h.o.Sessions.Drop(x.context(), session.Question, x.binding(x.question(x.Call.ID)...), owner)
}

// question names a server's request: it is open in one session.
func (x *Exchange) question(id []byte) []string {
	text, kind := string(id), "number"
	if len(id) > 0 && id[0] == '"' { // however it is escaped
		text, kind = mcp.String(id), "text"
	}
	return []string{x.target.server.name, string(x.ctx.Request.Header.Peek(sessionHeader)), x.address, kind, text}
}
