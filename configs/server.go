package configs

import "time"

// Server is one MCP server behind the gateway.
type Server struct {
	// Name is the path segment under which the server is reached, and its name
	// in policies and events. It is made of letters, digits, "_" and "-".
	Name string `key:"name" required:"true"`
	// URL is the address of the server's MCP endpoint: http, https, or
	// unix:///path/to.sock:/mcp for plain HTTP over a unix socket, where the
	// path of the request follows that of the socket and a colon.
	URL string `key:"url" required:"true"`
	// Destinations lists where clients dial the server with mode: redirect, as
	// address:port, or :port for every address that no server lists. Empty takes
	// the address and port of url, or its port alone when url is on loopback,
	// as in a sidecar.
	Destinations []string `key:"destinations"`
	// TLS is how an https server is verified, and what it is shown.
	TLS UpstreamTLS `key:"tls"`
	// SensitivityLevel is the level of the server, and of its tools unless they have their own.
	SensitivityLevel string `key:"sensitivity_level" default:"medium" enum:"low|medium|high|critical"`
	// Teams lists the teams that own the server; policies compare them with the caller's.
	Teams []string `key:"teams"`
	// Tools lists what is known of single tools.
	Tools []Tool `key:"tools"`
	// Authorization says what becomes of the caller's credential: strip removes
	// it, forward sends it on (only when authn.jwt.audience holds resource),
	// static replaces it by token, exchange replaces it by an RFC 8693 exchange.
	Authorization string `key:"authorization" default:"strip" enum:"strip|forward|static|exchange"`
	// Resource is the OAuth resource identifier of the server (RFC 8707), as
	// its metadata (RFC 9728) tells clients; empty takes proxy.public_url and
	// the path of the endpoint.
	Resource string `key:"resource"`
	// Token is the bearer token for authorization: static.
	Token string `key:"token" secret:"true"`
	// Exchange is the token endpoint for authorization: exchange.
	Exchange TokenExchange `key:"exchange"`
	// CacheScope overrides the server's own cacheScope; private keeps replies
	// that the server calls public apart for each caller. Public shares those
	// of which the server says nothing with everybody who may ask; what it
	// calls private stays private.
	CacheScope string `key:"cache_scope" enum:"|private|public"`
	// CacheTTL is how long cacheable results (server/discover, the lists,
	// resources/read) stay fresh when the server does not say, as servers of
	// revisions before 2026-07-28 never do. They are kept apart for each caller
	// and session unless cache_scope is public. 0 keeps none.
	CacheTTL time.Duration `key:"cache_ttl" default:"0s" min:"0s" max:"24h"`
	// Passthrough lists other exact paths of the server that are reachable;
	// everything else is 404.
	Passthrough []string `key:"passthrough"`
	// Limit overrides limits.server_rate for this server.
	Limit ServerLimit `key:"limit"`
	// Health overrides proxy.health for this server.
	Health ServerHealth `key:"health"`
	// Timeouts override proxy.timeouts for this server.
	Timeouts Timeouts `key:"timeouts"`
}

// UpstreamTLS configures the connections to an https server. Its files are read
// again when they change; a pair that cannot be used leaves the old one in force.
type UpstreamTLS struct {
	// CAFile is the PEM file of the authorities of the server's certificate.
	// Empty takes those of the system.
	CAFile string `key:"ca_file"`
	// CertFile is the PEM file of the certificate chain that the server is
	// shown when it asks for one (mutual TLS).
	CertFile string `key:"cert_file"`
	// KeyFile is the PEM file of the private key of cert_file.
	KeyFile string `key:"key_file"`
	// ServerName is the name that the server's certificate must be for; empty
	// takes the host of url.
	ServerName string `key:"server_name"`
}

// ServerLimit bounds the calls of everybody to one server.
type ServerLimit struct {
	// Rate is how many calls a minute are forwarded to the server; 0 takes
	// limits.server_rate.
	Rate int `key:"rate" default:"0" min:"0" max:"1000000" unit:"calls per minute"`
	// Burst is how many calls the server may receive at once; 0 takes
	// limits.server_burst.
	Burst int `key:"burst" default:"0" min:"0" max:"1000000" unit:"calls"`
}

// Tool is what the operator knows of one tool. It wins over the registry and
// over the annotations that the server sends.
type Tool struct {
	// Name is the tool's name as in tools/list.
	Name string `key:"name" required:"true"`
	// SensitivityLevel is the tool's level; empty takes the server's.
	SensitivityLevel string `key:"sensitivity_level" enum:"|low|medium|high|critical"`
	// ReadOnly says that the tool has no effects, so that its calls need no intent record.
	ReadOnly bool `key:"read_only" default:"false"`
}

// TokenExchange is how to obtain a token for an upstream (RFC 8693).
type TokenExchange struct {
	// TokenURL is the token endpoint of the authorization server.
	TokenURL string `key:"token_url"`
	// ClientID is the gateway's client id at the authorization server.
	ClientID string `key:"client_id"`
	// ClientSecret is the gateway's client secret at the authorization server.
	ClientSecret string `key:"client_secret" secret:"true"`
	// Audience names the upstream to the authorization server, beside the
	// server's resource; empty is not sent.
	Audience string `key:"audience"`
	// Scope is what the token is asked to be good for, separated by spaces.
	Scope string `key:"scope"`
}

// Timeouts bound the waiting for one upstream. Zero takes the default.
type Timeouts struct {
	// Connect overrides proxy.timeouts.connect.
	Connect time.Duration `key:"connect" min:"0s" max:"5m"`
	// FirstByte overrides proxy.timeouts.first_byte.
	FirstByte time.Duration `key:"first_byte" min:"0s" max:"24h"`
	// IdleStream overrides proxy.timeouts.idle_stream.
	IdleStream time.Duration `key:"idle_stream" min:"0s" max:"168h"`
	// Total overrides proxy.timeouts.total.
	Total time.Duration `key:"total" min:"0s" max:"168h"`
}

// Or returns t with its zero fields taken from d.
func (t Timeouts) Or(d DefaultTimeouts) Timeouts {
	if t.Connect == 0 {
		t.Connect = d.Connect
	}
	if t.FirstByte == 0 {
		t.FirstByte = d.FirstByte
	}
	if t.IdleStream == 0 {
		t.IdleStream = d.IdleStream
	}
	if t.Total == 0 {
		t.Total = d.Total
	}
	return t
}
