// Package telemetry makes what the process says about itself: the zap logger with a level that can be changed while it
// runs, and the Prometheus registry with the collectors that every binary has.
//
// It promises that nothing is global: no logger or registry is installed for others to find, callers pass them on. It
// knows nothing of requests; the packages that serve them declare their own metrics on the registry made here.
package telemetry
