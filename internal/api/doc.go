// Package api is the management API: the server registry, policy evaluation, the audit trail and the health of the
// gateway, as handlers of /api/v1/... and /health/....
//
// The gateway treats it as one more upstream. Route turns a method and path into an mcp.Call, the gateway authenticates,
// decides, consults its cache and records as it does for every call, and Serve answers. So no handler here authenticates
// or authorises, with one exception: evaluating a policy as another user needs a second decision, which only the handler
// can know to ask for.
//
// It promises that every input is used or refused: unknown fields and parameters, duplicate keys and values outside their
// enumeration are errors that name what was wrong. Every refusal is a Problem, and nothing else reaches a client: causes go
// to the log. It knows nothing of sockets, credentials or caches.
package api
