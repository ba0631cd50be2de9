package proxy

import (
	"fmt"

	"sark/internal/mcp"
)

// eras says which families of revisions are served.
type eras struct{ legacy, modern bool }

// newEras reads the words "legacy" and "modern"; none means both.
func newEras(words []string) (eras, error) {
	if len(words) == 0 {
		return eras{legacy: true, modern: true}, nil
	}
	var e eras
	for _, w := range words {
		switch w {
		case mcp.Legacy.String():
			e.legacy = true
		case mcp.Modern.String():
			e.modern = true
		default:
			return e, fmt.Errorf("proxy: Options.Eras holds %q, want legacy or modern", w)
		}
	}
	return e, nil
}

// revisions are what a client of the other family may fall back to, the newest first.
func (e eras) revisions() []string {
	if e.legacy {
		return []string{"2025-11-25", "2025-06-18", batchRevision}
	}
	return []string{mcp.FirstModern}
}

// era refuses a message of a family that is not served, with the error by which clients choose another revision (MCP
// 2026-07-28, "Protocol version negotiation").
func (h *Handler) era(x *Exchange) bool {
	if x.Call.Era == mcp.Modern && h.eras.modern || x.Call.Era == mcp.Legacy && h.eras.legacy {
		return true
	}
	asked := x.Call.ProtocolVersion
	if x.Call.Method == "initialize" {
		asked = mcp.String(mcp.Member(x.Call.Params, "protocolVersion"))
	}
	setDefault(&asked, batchRevision) // what a request that names none is taken for
	return x.refuse(&Problem{
		Status: 400, Code: mcp.CodeUnsupportedVersion, Rule: "era", Reason: "this protocol revision is not served",
		Supported: h.eras.revisions(), Requested: asked,
	})
}

// verbs is the Allow header of an MCP endpoint: the stateless family knows no streams and sessions to GET and DELETE.
func (e eras) verbs() string {
	if e.legacy {
		return "POST, GET, DELETE"
	}
	return "POST"
}
