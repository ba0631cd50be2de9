package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"sark/authz"
	"sark/cachemw"
	"sark/internal/limit"
)

// ServerOptions describe one MCP server to stand in front of.
type ServerOptions struct {
	// ID identifies the server to policies; default Name.
	ID string
	// Name is the server's name: it is served at /NAME/mcp, and when it is the only one also at the path of its URL. With
	// Options.Redirect it is served at the path of its URL alone.
	Name string
	// Destinations are the addresses at which clients dial the server, for Options.Redirect: an address with a port, or a
	// port without an address for every address that no server names. At least one is required then.
	Destinations []netip.AddrPort
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
	// CacheScope is "private" to keep what the server calls public apart for each caller, or "public" to share results of
	// which the server says nothing; or empty.
	CacheScope string
	// State says whether the server is asked at all.
	State ServerState
	// Registered says that the server comes from the registry: it is served at /NAME/mcp alone.
	Registered bool
	// CacheTTL is how long results stay fresh of which the server says nothing, those of the legacy era in particular; 0
	// keeps none.
	CacheTTL time.Duration
	// Passthrough lists other exact paths that are forwarded; everything else is 404.
	Passthrough []string
	// Rate is how many calls of everybody are forwarded to it; the zero Rate takes Options.Rates.
	Rate limit.Rate
	// Upstream are the limits of the connections to it.
	Upstream UpstreamOptions
}

// Validate reports what is wrong with where the server is.
func (o *ServerOptions) Validate() error {
	_, err := o.endpoint()
	return err
}

// endpoint reads the URL. A server that is not asked has none.
func (o *ServerOptions) endpoint() (endpoint, error) {
	if o.State == ServerLocal {
		return endpoint{path: "/", uri: "/"}, nil
	}
	at, err := parseEndpoint(o.URL)
	if err == nil && o.Registered && at.network == "unix" {
		err = errSocket
	}
	return at, err
}

// ServerState says whether a server is asked.
type ServerState uint8

// The states of a server.
const (
	// ServerActive is asked.
	ServerActive ServerState = iota
	// ServerUnhealthy is known to be down: its callers get 503 at once.
	ServerUnhealthy
	// ServerLocal is no server of the network (transport stdio): its callers get 501, and it needs no URL.
	ServerLocal
)

type targetKind uint8

const (
	kindMCP targetKind = iota
	kindPassthrough
	kindLocal
	kindMetadata
	kindPreflight // a browser's question whether it may send a request (Fetch standard, "CORS-preflight request")
)

// public reports whether a target is served to anybody, without a credential and a decision. Browsers send no credential
// with a preflight, and clients read the metadata to learn which credential to get.
func (t *target) public() bool { return t.kind == kindMetadata || t.kind == kindPreflight }

// target is where a path leads.
type target struct {
	kind   targetKind
	server *server // nil for local routes
	uri    string  // the path and query that goes upstream, fixed by configuration; of metadata the endpoint's path here
}

// server is one MCP server with its catalogue and connections.
type server struct {
	name       string
	at         string // its name and URL: who it is in keys of the cache
	policy     authz.Server
	tools      map[string]authz.Tool
	forward    bool // the caller's credential is passed on
	private    bool // cache scope "public" is not honoured
	says       cachemw.Freshness
	rate       limit.Rate
	state      ServerState
	registered bool
	mirrors    *mirrors
	upstream   *upstream // nil for ServerLocal
	hostHeader string
	resource   string // OAuth identifier, or ""
}

// seesTokens reports whether the caller's token reaches the server, or one that was exchanged for it.
func (s *server) seesTokens() bool {
	return s != nil && (s.forward || s.upstream != nil && s.upstream.exchanger != nil)
}

// tool returns what is known about a tool: an unknown one has the server's level.
func (s *server) tool(name string) authz.Tool {
	if t, ok := s.tools[name]; ok {
		return t
	}
	return authz.Tool{Name: name, SensitivityLevel: s.policy.SensitivityLevel}
}

// paths maps exact raw paths to targets.
type paths map[string]*target

// put adds a path, unless there is one.
func (ps paths) put(path string, t *target) error {
	if _, taken := ps[path]; taken {
		return fmt.Errorf("path %q is taken", path)
	}
	ps[path] = t
	return nil
}

// routes says where requests lead. It is immutable.
type routes struct {
	exact    paths
	diverted destinations // in place of exact, with Options.Redirect; else nil
	loops    *loops       // of the connections, with Options.Redirect; else nil
	servers  []*server
	local    *target // for every path that is not in exact, when there is a local handler
	log      *zap.Logger
}

// newRoutes makes the table of o. Servers that are reached as in the table before, if there is one, keep their
// connections.
func newRoutes(o *Options, before *routes) (routes, error) {
	rs := routes{exact: paths{}, log: o.Log}
	if o.Redirect {
		rs.diverted, rs.loops = destinations{}, before.watched()
	}
	configured := 0
	for i := range o.Servers {
		if !o.Servers[i].Registered {
			configured++
		}
	}
	for i := range o.Servers {
		s := &o.Servers[i]
		if err := rs.add(s, before, configured == 1 && !s.Registered); err != nil {
			return rs, fmt.Errorf("proxy: server %q: %w", s.Name, err)
		}
		setDefault(&rs.servers[i].rate, o.Rates.Server)
	}
	if o.Local != nil {
		rs.local = &target{kind: kindLocal}
	}
	if len(o.Resources) > 0 && len(o.Servers) > 0 {
		rs.describe()
	}
	return rs, nil
}

func (rs *routes) add(o *ServerOptions, before *routes, only bool) error {
	at, err := o.endpoint()
	if err != nil {
		return err
	}
	s := newServer(o, at)
	s.mirrors = before.mirrors(o.Name, at)
	if o.State != ServerLocal {
		upstream := o.Upstream
		upstream.loops, upstream.log = rs.loops, rs.log
		s.upstream = before.reuse(o.Name, at, upstream)
	}
	rs.servers = append(rs.servers, s)
	endpoint := &target{kind: kindMCP, server: s, uri: at.uri}
	if rs.diverted != nil {
		return rs.addDiverted(o, at.path, endpoint)
	}
	if rs.exact.put("/"+o.Name+"/mcp", endpoint) != nil {
		return errNameTaken
	}
	if only {
		rs.exact[at.path] = endpoint
	}
	return rs.exact.pass(o, s)
}

// addDiverted adds a server at each of its destinations.
func (rs *routes) addDiverted(o *ServerOptions, path string, endpoint *target) error {
	if len(o.Destinations) == 0 {
		return errNoDestination
	}
	for _, to := range o.Destinations {
		to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
		if rs.diverted[to] == nil {
			rs.diverted[to] = paths{}
		}
		err := rs.diverted[to].put(path, endpoint)
		if err == nil {
			err = rs.diverted[to].pass(o, endpoint.server)
		}
		if err != nil {
			return fmt.Errorf("destination with port %d: %w", to.Port(), err)
		}
	}
	return nil
}

// pass adds the other paths of a server.
func (ps paths) pass(o *ServerOptions, s *server) error {
	for _, p := range o.Passthrough {
		if !strings.HasPrefix(p, "/") {
			return fmt.Errorf("passthrough path %q must begin with /", p)
		}
		if err := ps.put(p, &target{kind: kindPassthrough, server: s, uri: p}); err != nil {
			return fmt.Errorf("passthrough %w", err)
		}
	}
	return nil
}

var (
	errSocket        = errors.New("a registered server cannot be on a unix socket")
	errNameTaken     = errors.New("its name is that of another server")
	errNoDestination = errors.New("it has no destination")
)

// newServer describes a server, without its connections.
func newServer(o *ServerOptions, at endpoint) *server {
	s := &server{
		name: o.Name, at: o.Name + " " + o.URL, forward: o.ForwardAuthorization, private: o.CacheScope == "private", says: says(o), rate: o.Rate, state: o.State, registered: o.Registered,
		policy:     authz.Server{ID: cmp.Or(o.ID, o.Name), Name: o.Name, SensitivityLevel: o.SensitivityLevel, Teams: o.Teams},
		tools:      make(map[string]authz.Tool, len(o.Tools)),
		hostHeader: at.host, resource: o.Resource,
	}
	setDefault(&s.policy.SensitivityLevel, "medium")
	for _, t := range o.Tools {
		setDefault(&t.SensitivityLevel, s.policy.SensitivityLevel)
		t.Known = true
		s.tools[t.Name] = t
	}
	return s
}

// reuse returns the connections that the table has to a server, or new ones.
func (rs *routes) reuse(name string, at endpoint, o UpstreamOptions) *upstream {
	next := newUpstream(at, o)
	if rs == nil {
		return next
	}
	for _, s := range rs.servers {
		if u := s.upstream; s.name == name && u != nil && u.at == at && u.o.same(next.o) {
			return u
		}
	}
	return next // an unused one holds nothing
}

// mirrors returns what is known of the tools of a server that was reached in the same place in the table before, or an empty
// set.
func (rs *routes) mirrors(name string, at endpoint) *mirrors {
	if rs != nil {
		for _, s := range rs.servers {
			if s.name == name && s.upstream != nil && s.upstream.at == at {
				return s.mirrors
			}
		}
	}
	return new(mirrors)
}

// watched returns the connections that the table knows, or a set for those to come.
func (rs *routes) watched() *loops {
	if rs == nil || rs.loops == nil {
		return &loops{}
	}
	return rs.loops
}

// find returns the target of a raw path, nil when there is none. local is the address of the connection.
func (rs *routes) find(local net.Addr, path []byte) *target {
	exact := rs.exact
	if rs.diverted != nil {
		exact = rs.diverted.at(local)
	}
	if t, ok := exact[string(path)]; ok {
		return t
	}
	return rs.local
}

// retire lets go of the connections that the next table does not have.
func (rs *routes) retire(next *routes) {
	kept := map[*upstream]bool{}
	for _, s := range next.servers {
		kept[s.upstream] = true
	}
	for _, s := range rs.servers {
		if s.upstream != nil && !kept[s.upstream] {
			s.upstream.close()
		}
	}
}
