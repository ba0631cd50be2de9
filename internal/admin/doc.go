// Package admin is the operator's side of a process, on net/http and listeners of its own: health and metrics for probes
// and scrapers, and a debug listener with profiles, the log level and reload.
//
// It promises that probes are cheap whatever their rate (results stand for a moment and are shared), that a readiness
// probe never says ready while a critical part is down, and that probes disclose status words only. The health of the
// process lives here once; the management API shows the same Health in detail to callers that it has authenticated.
// It knows nothing of MCP, policies or principals: whoever can reach these listeners may read them, so the debug listener
// belongs on loopback or a unix socket.
package admin
