package configs

import "time"

// API configures the management API.
type API struct {
	// Listen is the address of the management API, host:port or unix:/path.
	// It speaks plain HTTP: put TLS before it on anything but loopback.
	Listen string `key:"listen" default:"127.0.0.1:8081" reload:"restart" off:"off"`
	// Socket is the path of the unix socket that the command line tools use.
	// Empty takes "api.sock" in data_dir.
	Socket string `key:"socket" reload:"restart"`
	// Discover asks registered servers for their tools.
	Discover Discover `key:"discover"`
}

// Discover configures the discovery of tools.
type Discover struct {
	// Enabled lets a registration with "discover": true, and POST
	// /api/v1/servers/{id}/discover, connect to the registered address and
	// ask for its tools. The gateway then dials what a caller has named.
	Enabled bool `key:"enabled" default:"false" reload:"restart"`
	// Timeout is how long one discovery may take. The registration waits for it.
	Timeout time.Duration `key:"timeout" default:"5s" reload:"restart" min:"1ms" max:"30s"`
}

// Admin configures the listener for health words and metrics.
type Admin struct {
	// Listen is the address of the health words and of /metrics, host:port or unix:/path.
	Listen string `key:"listen" default:":9901" reload:"restart" off:"off"`
}

// Debug configures the listener for profiles, the log level, reloads and drains.
type Debug struct {
	// Listen is the address of the debug routes: unix:/path or a loopback
	// address. Empty turns them off.
	Listen string `key:"listen" reload:"restart" off:"off"`
}

// Log configures the operational log.
type Log struct {
	// Level is the least severe level that is logged.
	Level string `key:"level" default:"info" reload:"live" enum:"debug|info|warn|error"`
	// Format is json, or console for people.
	Format string `key:"format" default:"json" reload:"restart" enum:"json|console"`
}
