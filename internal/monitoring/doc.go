// Package monitoring checks the alert rules and the dashboard of configs with the parsers of Prometheus. It is a module of its
// own, so that Prometheus is no dependency of ours, and has no code but its test.
package monitoring
