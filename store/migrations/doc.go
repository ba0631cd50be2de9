// Package migrations holds the schemas of the databases, one numbered SQL file per step and dialect, and applies them.
//
// It promises that SQLite and PostgreSQL get the same tables and columns, and that the audit table has exactly the columns
// that package audit encodes. What only some servers have (hypertables, compression, retention) is not in the numbered
// files.
package migrations
