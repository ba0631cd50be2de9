package proxy

import (
	"maps"
	"slices"

	"sark/internal/mcp"
)

// metadataPath is where RFC 9728 section 3.1 puts the metadata of a resource at the root; that of an endpoint has the
// endpoint's path behind it.
const metadataPath = "/.well-known/oauth-protected-resource"

// describe adds the targets that describe the endpoints as OAuth protected resources, at every destination.
func (rs *routes) describe() {
	if rs.diverted == nil {
		rs.exact.describe()
	}
	for _, ps := range rs.diverted {
		ps.describe()
	}
}

// describe adds the targets of one destination. The root describes the only server, or the gateway as a whole.
func (ps paths) describe() {
	root, servers := &target{kind: kindMetadata}, map[*server]bool{}
	for path, t := range maps.Clone(ps) {
		if t.kind == kindMCP {
			ps[metadataPath+path] = &target{kind: kindMetadata, server: t.server, uri: path}
			root.server, servers[t.server] = t.server, true
		}
	}
	if len(servers) > 1 {
		root.server = nil
	}
	ps[metadataPath] = root
}

// metadata answers with the description of an endpoint as an OAuth protected resource (RFC 9728 section 3.2).
func (h *Handler) metadata(x *Exchange) {
	b := mcp.AppendString([]byte(`{"resource":`), h.resource(x))
	b = appendStrings(append(b, `,"authorization_servers":`...), h.o.AuthorizationServers)
	if len(h.o.Scopes) > 0 {
		b = appendStrings(append(b, `,"scopes_supported":`...), h.o.Scopes)
	}
	b = append(b, `,"bearer_methods_supported":["header"]}`...)
	x.ctx.Response.Header.SetContentType("application/json")
	x.ctx.Response.Header.Set("Cache-Control", "public, max-age=300")
	x.ctx.Response.SetBodyRaw(b)
}

// resource is the identifier of what the metadata at x's path is about. Clients hold it against the URL that they dialled
// (RFC 9728 section 3.3), and authorization servers make tokens for it, so it is never made of what the request says: Host
// only chooses among the resources that tokens are accepted for.
func (h *Handler) resource(x *Exchange) string {
	t := x.target
	switch {
	case t.server != nil && t.server.resource != "":
		return t.server.resource
	case h.o.PublicURL != "":
		return h.o.PublicURL + t.uri
	}
	dialled := x.scheme() + "://" + string(x.ctx.Request.Header.Host()) + t.uri
	if slices.Contains(h.o.Resources, dialled) {
		return dialled
	}
	return h.o.Resources[0]
}

// metadataURL is where the metadata of x's endpoint is, as clients see it.
func (h *Handler) metadataURL(x *Exchange) string {
	base := h.o.PublicURL
	if base == "" {
		base = x.scheme() + "://" + quotable(string(x.ctx.Request.Header.Host()))
	}
	return base + metadataPath + quotable(x.path)
}
