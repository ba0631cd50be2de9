package configs

import "time"

// Proxy configures the data plane. See the section "proxy" of the reference.
type Proxy struct {
	// Listen is the address of the data plane, host:port or unix:/path.
	Listen string `key:"listen" default:":8080" reload:"restart"`
	// Mode is how connections come. In reverse mode clients dial listen. In
	// redirect mode they dial the servers, and packet rules (nftables, iptables)
	// on the same host divert the connections to listen: the destination chooses
	// the server, and what goes to any other is refused. Linux only; see
	// "Transparent mode" in operations.md for the rules.
	Mode string `key:"mode" default:"reverse" reload:"restart" enum:"reverse|redirect"`
	// PublicURL is the address under which clients reach the gateway, without
	// the path of an endpoint. Protected resource metadata (RFC 9728) and
	// WWW-Authenticate challenges name it. When empty, challenges name the Host
	// header of the request, and metadata the one of authn.jwt.audience that is
	// the address of the request, or else the first.
	PublicURL string `key:"public_url" reload:"live"`
	// TLS makes the listener speak TLS; without it the listener speaks plain
	// HTTP/1.1. Its files are read again when they change; a pair that cannot be
	// used leaves the old one in force.
	TLS TLS `key:"tls"`
	// AllowedHosts lists the Host headers that are served, without port; others
	// get 403. Empty accepts every host on a listener that is not on loopback,
	// and only loopback names on one that is (DNS rebinding).
	AllowedHosts []string `key:"allowed_hosts" reload:"live"`
	// AllowedOrigins lists the Origin headers that are served, as
	// scheme://host[:port]; others get 403. A request without Origin is served.
	AllowedOrigins []string `key:"allowed_origins" reload:"live"`
	// CORSOrigins lists the origins, as scheme://host[:port], of web pages whose
	// scripts may use the gateway: preflights are answered, and replies may be
	// read. They count as allowed_origins too. Empty switches CORS off.
	CORSOrigins []string `key:"cors_origins" reload:"restart"`
	// TrustedProxies lists the networks (CIDR) whose X-Forwarded-For is
	// believed: the client's address is the last one there that is not in these
	// networks. unix: stands for peers on a unix socket. From anyone else the
	// peer address is the client address, and X-Forwarded headers are dropped.
	TrustedProxies []string `key:"trusted_proxies" reload:"live"`
	// ProxyProtocol learns the clients' addresses from a load balancer.
	ProxyProtocol ProxyProtocol `key:"proxy_protocol"`
	// MaxBodyBytes is the largest request body that is read; a larger one is
	// refused with 413.
	MaxBodyBytes Bytes `key:"max_body_bytes" default:"4MiB" reload:"restart" min:"1KiB" max:"1GiB"`
	// MaxHeaderBytes is the largest request or response head; a larger request
	// head is refused with 431.
	MaxHeaderBytes Bytes `key:"max_header_bytes" default:"16KiB" reload:"restart" min:"4KiB" max:"1MiB"`
	// MaxConcurrent is the number of requests, open streams included, that are
	// served at once; one more waits for concurrent_wait, and gets 503 and
	// Retry-After then, or at once when as many wait already.
	MaxConcurrent int `key:"max_concurrent" default:"16384" reload:"restart" min:"1" max:"1000000" unit:"requests"`
	// ConcurrentWait is how long a request beyond max_concurrent waits until
	// another one ends.
	ConcurrentWait time.Duration `key:"concurrent_wait" default:"500ms" reload:"live" min:"1ms" max:"30s"`
	// Eras lists the families of protocol revisions that are served: legacy is
	// everything up to 2025-11-25, which begins with initialize, modern is
	// 2026-07-28 and later. A message of another one is refused with 400.
	Eras []string `key:"eras" default:"[\"legacy\",\"modern\"]" reload:"restart"`
	// AllowBatch splits a JSON-RPC batch into its messages, with one decision,
	// one event and one request to the server for each. When false a batch is
	// refused with 400. Only revision 2025-03-26 knows batches.
	AllowBatch bool `key:"allow_batch" default:"false" reload:"restart"`
	// BatchAnyVersion accepts batches in every revision of the legacy era, for
	// clients that name a later one and send them all the same.
	BatchAnyVersion bool `key:"batch_any_version" default:"false" reload:"restart"`
	// MaxBatch is the most messages in a batch; a larger one is refused with 400.
	MaxBatch int `key:"max_batch" default:"100" reload:"restart" min:"1" max:"10000" unit:"messages"`
	// MaxStreams is how many lasting streams (GET streams and
	// subscriptions/listen) one principal may have open; one more gets 429.
	MaxStreams int `key:"max_streams" default:"100" reload:"restart" min:"1" max:"100000" unit:"streams"`
	// MaxHeldBytes is how much of requests and replies one principal may have in
	// the gateway's memory, without the first 64 KiB of each: a request or a
	// reply over it gets 503, and an event stream is cut. It must have room for
	// one of each: max_body_bytes and 48 MiB.
	MaxHeldBytes Bytes `key:"max_held_bytes" default:"64MiB" reload:"live" min:"48MiB" max:"1TiB"`
	// MaxArrivingBytes is how much of the gateway's memory requests may take
	// while they arrive from callers whose headers name nobody, all together,
	// without the first 64 KiB of each; one more gets 503. A request with a
	// valid token or API key is counted by max_held_bytes from its header on. It
	// must have room for two requests of max_body_bytes.
	MaxArrivingBytes Bytes `key:"max_arriving_bytes" default:"64MiB" reload:"live" min:"1MiB" max:"1TiB"`
	// MaxStreamAge is when a lasting stream is ended, so that its client opens
	// another with a credential that still holds.
	MaxStreamAge time.Duration `key:"max_stream_age" default:"24h" reload:"restart" min:"1s" max:"720h" off:"0"`
	// DenyResponse is how a denied tools/call is answered: http is status 403
	// with a JSON-RPC error, tool_error is a tool result with isError true.
	DenyResponse string `key:"deny_response" default:"http" reload:"live" enum:"http|tool_error"`
	// HiddenTools is how a call of a tool that the caller may not see is
	// answered: unknown hides that it exists, denied says why.
	HiddenTools string `key:"hidden_tools" default:"unknown" reload:"live" enum:"unknown|denied"`
	// Heartbeat is the longest silence on an event stream before a comment is
	// sent, which keeps middleboxes awake and notices clients that left.
	Heartbeat time.Duration `key:"heartbeat" default:"15s" reload:"restart" min:"1s" max:"10m" off:"0"`
	// ReadTimeout bounds the reading of one whole request; a slower one gets 408.
	ReadTimeout time.Duration `key:"read_timeout" default:"30s" reload:"restart" min:"100ms" max:"1h"`
	// IdleTimeout is how long a client connection may wait for its next request.
	IdleTimeout time.Duration `key:"idle_timeout" default:"2m" reload:"restart" min:"1s" max:"24h"`
	// WriteTimeout is how long one write to a client may stall. It is renewed
	// by progress, so that it never cuts a healthy stream.
	WriteTimeout time.Duration `key:"write_timeout" default:"1m" reload:"restart" min:"100ms" max:"1h"`
	// DrainGrace is how long a shutdown goes on serving after the gateway has
	// become unready, so that load balancers notice: each reply ends its
	// connection, and clients connect to another gateway. Kubernetes needs some
	// seconds; 0 is for a gateway that has no other beside it.
	DrainGrace time.Duration `key:"drain_grace" default:"0s" reload:"live" min:"0s" max:"1h"`
	// DrainTimeout bounds the shutdown, drain_grace included: requests in flight
	// may finish, then what is left is cut.
	DrainTimeout time.Duration `key:"drain_timeout" default:"30s" reload:"live" min:"0s" max:"1h"`
	// Timeouts bound the waiting for upstreams; a server may have its own.
	Timeouts DefaultTimeouts `key:"timeouts"`
	// Breaker leaves servers alone that fail.
	Breaker Breaker `key:"breaker"`
	// Health probes servers.
	Health Health `key:"health"`
	// Registry serves what is registered.
	Registry Registry `key:"registry"`
	// Servers lists the MCP servers behind the gateway. A server is reached at
	// /NAME/mcp, and when it is the only one also at the path of its url; with
	// mode: redirect at its destinations, under the path of its url.
	Servers []Server `key:"servers" reload:"live"`
}

// TLS configures the certificate of a listener.
type TLS struct {
	// CertFile is the PEM file of the certificate chain.
	CertFile string `key:"cert_file" reload:"live"`
	// KeyFile is the PEM file of the private key.
	KeyFile string `key:"key_file" reload:"live"`
	// ClientCAFile is the PEM file of the authorities of client certificates.
	// When set, clients may show a certificate, which must come from one of them,
	// and authn.mtls turns it into a principal.
	ClientCAFile string `key:"client_ca_file" reload:"live"`
}

// ProxyProtocol reads the PROXY header (versions 1 and 2) that load balancers
// send before anything else on a connection.
type ProxyProtocol struct {
	// Enabled expects the header on connections from trusted networks, before
	// TLS; without a valid one they are closed. The address that it names is the
	// client's address from then on, for trusted_proxies too. From anyone else
	// the header is no request and gets 400.
	Enabled bool `key:"enabled" default:"false" reload:"restart"`
	// Trusted lists the networks (CIDR) of the load balancers; unix: stands for
	// peers on a unix socket. It is required with enabled.
	Trusted []string `key:"trusted" reload:"restart"`
}

// DefaultTimeouts bound the waiting for every upstream that sets no own.
type DefaultTimeouts struct {
	// Connect bounds the opening of a connection to an upstream.
	Connect time.Duration `key:"connect" default:"5s" reload:"restart" min:"1ms" max:"5m"`
	// FirstByte bounds the wait from the end of the request to the first byte
	// of the reply; a slower upstream is answered for with 504.
	FirstByte time.Duration `key:"first_byte" default:"10m" reload:"restart" min:"1ms" max:"24h"`
	// IdleStream bounds the silence between two reads of a reply that has begun.
	IdleStream time.Duration `key:"idle_stream" default:"1h" reload:"restart" min:"1ms" max:"168h"`
	// Total bounds the whole reply to a call, streamed ones included. GET
	// streams have no such bound.
	Total time.Duration `key:"total" default:"0" reload:"restart" min:"1ms" max:"168h" off:"0"`
}

// HTTPPool sizes the pool of connections to each upstream.
type HTTPPool struct {
	// Connections is the most connections to one upstream.
	Connections int `key:"connections" default:"100" reload:"restart" env:"HTTP_POOL_CONNECTIONS" min:"1" max:"100000" unit:"connections"`
	// Keepalive is the most idle connections that are kept for one upstream, up
	// to connections; those above it are closed within a second, so that none has
	// to be dialled anew between two calls of a busy moment.
	Keepalive int `key:"keepalive" default:"20" reload:"restart" env:"HTTP_POOL_KEEPALIVE" min:"0" max:"100000" unit:"connections"`
	// KeepaliveExpiry is how long an idle connection to an upstream is kept.
	KeepaliveExpiry time.Duration `key:"keepalive_expiry" default:"5s" reload:"restart" env:"HTTP_KEEPALIVE_EXPIRY" min:"1ms" max:"1h"`
	// Wait bounds the wait for a free connection when all are in use; after it
	// the caller gets 503.
	Wait time.Duration `key:"wait" default:"1s" reload:"restart" min:"0s" max:"1m"`
}
