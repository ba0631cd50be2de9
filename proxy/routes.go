package proxy

import (
	"fmt"
	"strings"

	"sark/authz"
	"sark/internal/limit"
)

// ServerOptions describe one MCP server to stand in front of.
type ServerOptions struct {
	// Name is the server's name: it is served at /NAME/mcp, and when it is the only one also at the path of its URL.
	Name string
	// URL is its MCP endpoint: http, https, or unix:///socket:/path for HTTP over a unix socket.
	URL string
	// SensitivityLevel is "low", "medium" (default), "high" or "critical".
	SensitivityLevel string
	// Teams may use the server.
	Teams []string
	// Tools describes tools of the server; others are unknown and have the server's level.
	Tools []authz.Tool
	// ForwardAuthorization passes the caller's credential on. It is for servers that are the same OAuth resource as the
	// gateway; API keys are never passed on.
	ForwardAuthorization bool
	// Resource is its identifier as an OAuth resource; "" takes Options.PublicURL and the path of the endpoint.
	Resource string
	// CacheScope overrides a "public" of the server: "private", or empty.
	CacheScope string
	// Passthrough lists other exact paths that are forwarded; everything else is 404.
	Passthrough []string
	// Rate is how many calls of everybody are forwarded to it; the zero Rate takes Options.Rates.
	Rate limit.Rate
	// Upstream are the limits of the connections to it.
	Upstream UpstreamOptions
}

type targetKind uint8

const (
	kindMCP targetKind = iota
	kindPassthrough
	kindLocal
	kindMetadata
)

// target is where a path leads.
type target struct {
	kind   targetKind
	server *server // nil for local routes
	uri    string  // the path and query that goes upstream, fixed by configuration; of metadata the endpoint's path here
}

// server is one MCP server with its catalogue and connections.
type server struct {
	name       string
	policy     authz.Server
	tools      map[string]authz.Tool
	forward    bool // the caller's credential is passed on
	private    bool // cache scope "public" is not honoured
	rate       limit.Rate
	upstream   *upstream
	hostHeader string
	resource   string // OAuth identifier, or ""
}

// tool returns what is known about a tool: an unknown one has the server's level.
func (s *server) tool(name string) authz.Tool {
	if t, ok := s.tools[name]; ok {
		return t
	}
	return authz.Tool{Name: name, SensitivityLevel: s.policy.SensitivityLevel}
}

// routes maps exact raw paths to targets. It is immutable.
type routes struct {
	exact   map[string]*target
	servers []*server
	local   *target // for every path that is not in exact, when there is a local handler
}

func newRoutes(o *Options) (routes, error) {
	rs := routes{exact: map[string]*target{}}
	for i := range o.Servers {
		if err := rs.add(&o.Servers[i], len(o.Servers) == 1); err != nil {
			return rs, fmt.Errorf("proxy: server %q: %w", o.Servers[i].Name, err)
		}
		setDefault(&rs.servers[i].rate, o.Rates.Server)
	}
	if o.Local != nil {
		rs.local = &target{kind: kindLocal}
	}
	if len(o.Resources) > 0 && len(o.Servers) > 0 {
		rs.describes()
	}
	return rs, nil
}

func (rs *routes) add(o *ServerOptions, only bool) error {
	at, err := parseEndpoint(o.URL)
	if err != nil {
		return err
	}
	s := &server{
		name: o.Name, forward: o.ForwardAuthorization, private: o.CacheScope == "private", rate: o.Rate,
		policy:   authz.Server{ID: o.Name, Name: o.Name, SensitivityLevel: o.SensitivityLevel, Teams: o.Teams},
		tools:    make(map[string]authz.Tool, len(o.Tools)),
		upstream: newUpstream(at, o.Upstream), hostHeader: at.host, resource: o.Resource,
	}
	setDefault(&s.policy.SensitivityLevel, "medium")
	for _, t := range o.Tools {
		setDefault(&t.SensitivityLevel, s.policy.SensitivityLevel)
		t.Known = true
		s.tools[t.Name] = t
	}
	rs.servers = append(rs.servers, s)
	rs.exact["/"+o.Name+"/mcp"] = &target{kind: kindMCP, server: s, uri: at.uri}
	if only {
		rs.exact[at.path] = &target{kind: kindMCP, server: s, uri: at.uri}
	}
	for _, p := range o.Passthrough {
		if !strings.HasPrefix(p, "/") {
			return fmt.Errorf("passthrough path %q must begin with /", p)
		}
		if _, taken := rs.exact[p]; taken {
			return fmt.Errorf("passthrough path %q is taken", p)
		}
		rs.exact[p] = &target{kind: kindPassthrough, server: s, uri: p}
	}
	return nil
}

// find returns the target of a raw path, nil when there is none.
func (rs *routes) find(path []byte) *target {
	if t, ok := rs.exact[string(path)]; ok {
		return t
	}
	return rs.local
}

func (rs *routes) close() {
	for _, s := range rs.servers {
		s.upstream.close()
	}
}
