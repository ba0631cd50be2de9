// Package session remembers which principal owns an MCP session, so that a session id is never a credential: whoever
// presents another principal's id learns nothing, not even that it exists.
//
// It promises bounded memory: entries end after a time without use, each principal holds a bounded number, and so does the
// table. It keeps digests of ids, never the ids. It runs no goroutine and knows nothing of HTTP.
package session
