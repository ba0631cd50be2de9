// Package app builds a gateway from its configuration and runs it: the one place where all parts meet.
//
// Run is one straight line in dependency order; each started part registers a named stop at once, and stops run backwards:
// listeners first, then streams, then the audit writer, then the store. It promises that a configuration which asks for
// something this build cannot do is refused, never ignored.
package app

//go:generate go test -run ^TestMetricsReference$ . -update
