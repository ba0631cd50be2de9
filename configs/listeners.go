package configs

// API configures the management API.
type API struct {
	// Listen is the address of the management API, host:port or unix:/path.
	// It speaks plain HTTP: put TLS before it on anything but loopback.
	Listen string `key:"listen" default:"127.0.0.1:8081" reload:"restart" off:"off"`
	// Socket is the path of the unix socket that the command line tools use.
	// Empty takes "api.sock" in data_dir.
	Socket string `key:"socket" reload:"restart"`
}

// Admin configures the listener for health words and metrics.
type Admin struct {
	// Listen is the address of the health words and of /metrics, host:port or unix:/path.
	Listen string `key:"listen" default:":9901" reload:"restart" off:"off"`
}

// Debug configures the listener for profiles, the log level and reloads.
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
