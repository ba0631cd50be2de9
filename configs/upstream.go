package configs

import "time"

// Breaker says when a server that fails is left alone. A failure is a call that
// finds no connection, gets no reply in time or none that can be read, or gets
// 502, 503 or 504; other replies are the server's own answers.
type Breaker struct {
	// Enabled leaves a failing server alone: its callers get 503 at once.
	Enabled bool `key:"enabled" default:"true" reload:"live"`
	// Failures is how many calls must fail one after the other.
	Failures int `key:"failures" default:"5" reload:"live" min:"1" max:"1000000" unit:"calls"`
	// Ratio is the share of failed calls in a window that does it, too.
	Ratio int `key:"ratio" default:"50" reload:"live" min:"1" max:"100" unit:"percent"`
	// MinCalls is how many calls a window must hold before ratio counts.
	MinCalls int `key:"min_calls" default:"20" reload:"live" min:"1" max:"1000000" unit:"calls"`
	// Window is the length of a window. It begins with a failure.
	Window time.Duration `key:"window" default:"10s" reload:"live" min:"1s" max:"1h"`
	// OpenFor is how long the server is left alone before calls may try it. It
	// doubles with each try that fails, up to eight times, and up to a quarter
	// is added by chance.
	OpenFor time.Duration `key:"open_for" default:"5s" reload:"live" min:"100ms" max:"1h"`
	// Probes is how many calls may try the server at once after that.
	Probes int `key:"probes" default:"1" reload:"live" min:"1" max:"1000" unit:"calls"`
}

// Health says how servers are probed. A probe sends no credential and opens no
// session. Servers of the registry change their status by it.
type Health struct {
	// Interval is the time between two probes of a server.
	Interval time.Duration `key:"interval" default:"30s" reload:"live" min:"100ms" max:"24h" off:"0"`
	// Timeout bounds one probe.
	Timeout time.Duration `key:"timeout" default:"2s" reload:"live" min:"10ms" max:"1m"`
	// Probe is what is done: connect opens a connection and closes it, get asks
	// for the path of the url, ping sends an MCP ping outside of any session.
	// Any answer below 500 is well.
	Probe string `key:"probe" default:"connect" reload:"live" enum:"connect|get|ping"`
	// Failures is how many probes must fail one after the other until a server is down.
	Failures int `key:"failures" default:"3" reload:"live" min:"1" max:"1000" unit:"probes"`
	// Successes is how many must succeed until it is up again.
	Successes int `key:"successes" default:"2" reload:"live" min:"1" max:"1000" unit:"probes"`
}

// Registry says what becomes of the servers of the registry.
type Registry struct {
	// Enabled serves the active servers of the registry at /NAME/mcp, beside
	// those of the configuration, which win where names are equal. With mode:
	// redirect none is served: who registers a server must not choose whose
	// connections it gets.
	Enabled bool `key:"enabled" default:"true" reload:"restart"`
	// Interval is how often the registry is looked at for changes that were made
	// through other gateways. Those made through this one count at once.
	Interval time.Duration `key:"interval" default:"2s" reload:"restart" min:"50ms" max:"1h"`
	// AllowedNetworks lists the networks (CIDR) that servers of the registry may
	// be in. Empty allows every address but this host, its link, multicast, what
	// is reserved, and where clouds keep the metadata of a machine; one of these
	// is allowed only by a network that lies within it, like 127.0.0.0/8. They
	// are asked when a server is registered, discovered, probed and called.
	AllowedNetworks []string `key:"allowed_networks" reload:"live"`
}

// ServerHealth overrides proxy.health for one server.
type ServerHealth struct {
	// Probe overrides proxy.health.probe.
	Probe string `key:"probe" enum:"|connect|get|ping"`
	// Path is what probe: get asks for; empty takes the path of url.
	Path string `key:"path"`
}
