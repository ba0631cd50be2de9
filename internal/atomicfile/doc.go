// Package atomicfile writes small files that are there whole or not at all, even after a power cut.
//
// It knows nothing of what the files hold. What grows, or is written often, belongs into the spool or the database.
package atomicfile
