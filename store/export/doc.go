// Package export writes the audit trail to files that prove, without the database, that they are what a gateway has signed.
//
// An export is a file of events, a file of the digests that account for them, and a manifest, which holds the SHA-256 of both
// and is signed. It promises that the files are there whole or not at all: they are written under other names, synced, and
// renamed, the manifest last. It holds one event in memory at a time.
//
// That a file is the one that was exported, its hash and the signature say in every format. An export as NDJSON without a
// filter says more: its events and digests are a trail of their own, which store.Verify reads like that of a database.
package export
