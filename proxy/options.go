package proxy

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sark/authz"
	"sark/cachemw"
)

// Options are what a Handler is made of. Authenticator, Decider and Recorder are required.
type Options struct {
	Authenticator Authenticator
	Decider       Decider
	Recorder      Recorder
	// Cache keeps replies; nil turns caching off.
	Cache Cache
	// CacheRules are the lifetimes of the management API's routes.
	CacheRules cachemw.Rules
	// CacheKeys sends X-Cache-Key, which tells callers what others have asked: for development.
	CacheKeys bool
	// PartitionByPrincipal shares private entries between credentials of one principal (cache.partition: principal).
	PartitionByPrincipal bool
	// Limiter is asked once for each request that is to be forwarded and has a limit; nil forbids limits, those of
	// policies included.
	Limiter Limiter
	// Rates are the limits of all servers.
	Rates Rates
	// AuthFailures is asked for each refused credential, by address; nil allows all.
	AuthFailures FailureLimiter
	// Sessions binds legacy sessions, tasks and the open requests of servers to whose they are; nil binds none, and serves
	// no server of the HTTP+SSE transport.
	Sessions Sessions
	// Local serves the management API; nil when this handler serves MCP servers only.
	Local Local
	// Redirect serves connections that packet rules divert on their way to a server: the destination that a client dialled
	// chooses the server, and the path is the server's own. Only Linux can tell it. Reload cannot change it.
	Redirect bool
	// Servers are the MCP servers to stand in front of; more may come with Reload.
	Servers []ServerOptions
	// OnHealth is told when a server goes down or comes up again, by the goroutine of Probe; nil tells nobody.
	OnHealth func(ServerHealth)
	// AllowedHosts and AllowedOrigins extend what the Host and Origin headers may say (see hostPolicy).
	AllowedHosts, AllowedOrigins []string
	// CORSOrigins are the origins whose scripts may use the gateway from a browser; empty switches that off.
	CORSOrigins []string
	// TrustedProxies are the networks (CIDR) whose X-Forwarded-For is believed; "unix:" stands for peers on a unix socket.
	TrustedProxies []string
	// Eras are the families of protocol revisions that are served, "legacy" and "modern"; empty serves both.
	Eras []string
	// AllowBatch takes JSON-RPC batches of revision 2025-03-26 apart; without it they are refused. BatchAnyVersion accepts
	// them in every revision of the legacy family.
	AllowBatch, BatchAnyVersion bool
	// MaxBatch is the most messages in a batch; default 100.
	MaxBatch int
	// MaxBody is the largest accepted body in bytes; default 4 MiB.
	MaxBody int
	// MaxConcurrent is how many requests are served at once, streams included; default 16,384. It is the same in each Reload.
	MaxConcurrent int
	// ConcurrentWait is how long one more waits until another ends; default 500 ms.
	ConcurrentWait time.Duration
	// MaxBuffered is the largest reply in bytes that is read as a whole to be filtered; default 16 MiB.
	MaxBuffered int
	// MaxStreams is how many streams that never end by themselves one principal may have open; default 100.
	MaxStreams int
	// MaxHeldBytes is how much of requests and replies the gateway holds in memory for one principal, without the first 64 KiB
	// of each; default 64 MiB. One exchange needs up to MaxBody and three times MaxBuffered.
	MaxHeldBytes int
	// MaxArrivingBytes is how much memory requests may take while they arrive from callers whose headers do not name them, all
	// together, without the first 64 KiB of each; default 64 MiB.
	MaxArrivingBytes int
	// MaxStreamAge is when such a stream is ended, so that its client opens another; default 24 h.
	MaxStreamAge time.Duration
	// Heartbeat is how often a silent event stream gets a comment; default 15 s.
	Heartbeat time.Duration
	// WriteTimeout is how long one write to a client may take; default 1 min.
	WriteTimeout time.Duration
	// Intent says which exchanges record an intent before the first upstream byte: "effects" (default), "all", "none".
	Intent string
	// OpenAfter is how long an exchange may be open before it leaves an open event; default 10 s.
	OpenAfter time.Duration
	// HideUnknown answers a call of a tool that the caller may not see as an unknown tool.
	HideUnknown bool
	// Shadow lets every request of an MCP server pass, and records what the policy would have made of it.
	Shadow bool
	// DenyAsToolError answers a denied tools/call with a tool result that has isError set.
	DenyAsToolError bool
	// HashArguments returns the digest that the audit trail keeps of a call's arguments; nil records none.
	HashArguments func(arguments []byte) string
	// RecordArguments returns the redacted arguments to record; nil records none.
	RecordArguments func(arguments []byte) []byte
	// Resources are the identifiers of this gateway as an OAuth resource that tokens may be for, the default first, and
	// AuthorizationServers are who issues such tokens (RFC 9728); both are empty when tokens are not accepted.
	Resources, AuthorizationServers []string
	// Scopes are what clients are told to ask a token for, in the metadata and in the challenge of a 401; nil says nothing.
	Scopes []string
	// PublicURL is the address under which clients reach the gateway, without a path of an endpoint; "" when that is not
	// known, and challenges name the Host header of the request.
	PublicURL string
	// RecordInput keeps the question and the answer of each decision about a request for explanation and replay; nil keeps none.
	RecordInput func(in *authz.Input, d *authz.Decision)
	// RecordDenials keeps them of what the policy denies alone, so that a call that is allowed costs nothing.
	RecordDenials bool
	// PolicyHeaders are the request headers that policies may see, in lower case.
	PolicyHeaders []string
	// Environment is the deployment's name in audit events.
	Environment string
	Log         *zap.Logger
	Registerer  prometheus.Registerer
	// Now replaces the clock in tests.
	Now func() time.Time
}

func (o *Options) defaults() {
	setDefault(&o.MaxBody, 4<<20)
	setDefault(&o.MaxConcurrent, 16384)
	setDefault(&o.ConcurrentWait, 500*time.Millisecond)
	setDefault(&o.MaxBuffered, 16<<20)
	setDefault(&o.MaxBatch, 100)
	setDefault(&o.MaxStreams, 100)
	setDefault(&o.MaxHeldBytes, 64<<20)
	setDefault(&o.MaxArrivingBytes, 64<<20)
	setDefault(&o.MaxStreamAge, 24*time.Hour)
	setDefault(&o.Heartbeat, 15*time.Second)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.OpenAfter, 10*time.Second)
	setDefault(&o.Intent, "effects")
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o *Options) validate() error {
	switch {
	case o.Authenticator == nil:
		return errors.New("proxy: Options.Authenticator is required")
	case o.Decider == nil:
		return errors.New("proxy: Options.Decider is required")
	case o.Recorder == nil:
		return errors.New("proxy: Options.Recorder is required")
	}
	return nil
}
