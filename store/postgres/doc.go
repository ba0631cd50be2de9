// Package postgres keeps the registry, the API keys and the audit trail in PostgreSQL or TimescaleDB.
//
// It promises what package sqlite promises, for any number of gateways at once: a batch of events and the offset of its
// writer are stored together or not at all, exactly once, also when the connection is lost while it commits; and that the
// audit trail has connections of its own, so that no load on the management API holds it up. After a restart of the
// database it goes on by itself. It knows nothing of the spool that events come from.
package postgres
