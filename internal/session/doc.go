// Package session remembers which principal owns an MCP session or task, so that an id is never a credential: whoever
// presents another principal's id learns nothing, not even that it exists.
//
// It promises bounded memory: entries end after a time without use, each principal holds a bounded number, and so does the
// table. It keeps digests of ids and of owners, never the ids. With Redis, gateways share what they know, and one that
// cannot ask says so rather than guess. It knows nothing of HTTP.
package session
