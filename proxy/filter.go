package proxy

import (
	"bytes"

	"sark/authz"
	"sark/internal/audit"
	"sark/internal/mcp"
)

// filter removes from a reply in memory what the caller may not see. A list that cannot be read is not shown.
func (h *Handler) filter(x *Exchange) {
	if x.problem != nil {
		return
	}
	if m := x.resultMask(); m != nil && x.target.kind == kindMCP {
		h.maskReply(x, m)
		return
	}
	resp := &x.ctx.Response
	switch {
	case x.cache.sifted:
	case x.target.kind == kindMCP && mcp.ListKey(x.Call.Method) != "":
		out, err := h.filterMessage(x, resp.Body())
		if err == nil {
			resp.SetBodyRaw(out)
			return
		}
		switch {
		case resp.StatusCode() == 202: // the answer comes on a stream; whatever this is, it is no list
			resp.ResetBody()
		case resp.StatusCode() < 400: // refusals of the server go through as they are
			x.refuse(unfilterable(err))
		}
	case x.target.kind == kindLocal && x.Call.Route == "servers.list" && resp.StatusCode() == 200:
		out, n, err := mcp.FilterItems(nil, resp.Body(), "items", "id", func(id string, item []byte) bool {
			return h.readable(x, id, item)
		}, func() bool { return h.readsAll(x) })
		if err != nil {
			x.refuse(unfilterable(err))
			return
		}
		x.out.items, x.out.hidden = n.Items, n.Items-n.Kept
		resp.SetBodyRaw(out)
	}
}

func unfilterable(err error) *Problem {
	return &Problem{Status: 502, Rule: "filter", Reason: "the server's list cannot be read", Outcome: audit.OutcomeUpstreamFailed, Cause: err}
}

// filterMessage removes hidden items from the list in one JSON-RPC message; any other message stays as it is.
func (h *Handler) filterMessage(x *Exchange, message []byte) ([]byte, error) {
	out, n, err := mcp.FilterList(nil, message, func(list, id string) bool { return h.visible(x, list, id) })
	x.out.items += n.Items
	x.out.hidden += n.Items - n.Kept
	if err == nil && x.Call.Method == "tools/list" {
		x.target.server.mirrors.learn(message, x.Start)
	}
	return out, err
}

// mayFilter reports whether the frames of a stream may hold what the caller must not see.
func (x *Exchange) mayFilter() bool { return x.mayList() || x.resultMask() != nil }

// mayList reports whether the frames of a stream may hold a list: the answer that was asked for, or one that is replayed.
func (x *Exchange) mayList() bool {
	return mcp.ListKey(x.Call.Method) != "" || x.Call.Route == "mcp.stream"
}

// mayHideRequest reports whether a message that strict reading refused could be a request of the server to a reader who is
// less strict.
func mayHideRequest(message []byte) bool {
	return mcp.ContainsFold(message, "method") || bytes.Contains(message, []byte(`\u`))
}

// filterFrame returns the bytes of a frame as the caller may see them; nil drops it. On streams that answer a list, on those
// that may replay one, and on those that are redacted, a frame that cannot be understood is dropped and counted, never passed
// as it is. So is, on any stream, one that could be a request to the client, and one in which a client may find another event.
func (h *Handler) filterFrame(x *Exchange, fr *mcp.Frame) []byte {
	if fr.Odd {
		x.out.dropped++
		return nil
	}
	masked := x.resultMask() != nil
	if len(fr.Data) == 0 {
		if masked && fr.Complete {
			return h.maskFrame(x, fr, fr.Data)
		}
		return fr.Raw
	}
	if x.Call.Route == "mcp.stream" && string(fr.Event) == "endpoint" && fr.Complete {
		return h.rewriteAddress(x, fr)
	}
	r, err := mcp.ParseReply(fr.Data)
	if err == nil && fr.Complete { // what stands after the last blank line is no event
		h.note(x, &r)
		if !h.mayAsk(x, &r, fr.Data) {
			return nil
		}
		if p := h.objects(x, &r); p != nil {
			return h.inFrame(x, fr, r.ID, p)
		}
	}
	if !x.mayFilter() && !x.mayWant() && !(err != nil && mayHideRequest(fr.Data)) {
		return fr.Raw
	}
	if err != nil || !fr.Complete {
		x.out.dropped++
		return nil
	}
	out := fr.Data
	if r.Result != nil && x.mayList() {
		if out, err = h.filterMessage(x, fr.Data); err != nil {
			x.out.dropped++
			return nil
		}
	}
	if masked {
		return h.maskFrame(x, fr, out)
	}
	if &out[0] == &fr.Data[0] { // unchanged
		return fr.Raw
	}
	return fr.AppendWithData(nil, out)
}

// readsAll asks the policy whether there is no registered server that the caller may not read, about the one that fewest may:
// of critical sensitivity, nobody's, and for no team. Only who may read all is told how many there are.
func (h *Handler) readsAll(x *Exchange) bool {
	in := x.input
	in.Phase, in.Action = authz.PhaseList, "server:read"
	in.Resource = authz.Resource{Type: "server", ID: "*", SensitivityLevel: "critical"}
	return h.o.Decider.Decide(x.context(), &in).Allow
}

// readable asks the policy whether the caller may read one registered server of a list.
func (h *Handler) readable(x *Exchange, id string, item []byte) bool {
	in := x.input
	in.Phase, in.Action = authz.PhaseList, "server:read"
	in.Resource = authz.Resource{
		Type: "server", ID: id,
		SensitivityLevel: mcp.String(mcp.Member(item, "sensitivity_level")),
		Teams:            mcp.Strings(mcp.Member(item, "teams")),
		OwnerID:          mcp.String(mcp.Member(item, "owner_id")),
	}
	return h.o.Decider.Decide(x.context(), &in).Allow
}
