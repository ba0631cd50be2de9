// Package sqlite keeps the registry, the API keys and the audit trail in one SQLite file: the store of a gateway that has no
// database server.
//
// It promises that a batch of events and the offset of its writer are stored together or not at all, that readers never wait
// for the writer, and that only the file's owner can read it. One process opens a file for writing at a time in earnest;
// others (the command line) may, and take turns. It knows nothing of the spool that events come from.
package sqlite
