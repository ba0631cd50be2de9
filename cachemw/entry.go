package cachemw

import (
	"bytes"
	"slices"
	"time"

	"sark/internal/mcp"
)

// Scope says who may share an entry. The words are those of the MCP cacheScope field.
type Scope string

const (
	// Private entries are served only to the partition that filled them.
	Private Scope = "private"
	// Public entries are served to any caller who may ask the question.
	Public Scope = "public"
)

// Key identifies a stored response: a full-width SHA-256 digest (see KeyParts). It is a plain value and may be compared.
type Key [32]byte

// Entry is a stored response. Entries are immutable: readers share Body and must not change it.
type Entry struct {
	// Class is the class of the request for statistics: a route or JSON-RPC method (see Cache.Count).
	Class string
	// Status is the HTTP status; always 200 for MCP results.
	Status int
	// ContentType is the Content-Type of Body.
	ContentType string
	// Framed says that the upstream sent Body as the one server-sent event of its reply, so that a hit can go out in the
	// same form.
	Framed bool
	// Body is the upstream's body: for MCP the JSON of `result`, for plain HTTP the whole body. Unfiltered.
	Body []byte
	// Header holds further response headers that may be replayed (ETag, Last-Modified, Vary); nil when none.
	Header []HeaderField
	// Stored is when the response was made: when it was received, less the age that it had then.
	Stored time.Time
	// TTL is its freshness lifetime from Stored. Zero is an entry that is stale at once and kept to be validated.
	TTL time.Duration
	// Keep is how long it is kept from Stored; less than TTL counts as TTL. Between the two it is stale: what it may still be
	// used for is said by its Cache-Control (see Entry.PlainUse), and nothing for MCP results.
	Keep time.Duration
	// Cost is how long the upstream took to answer (see RefreshEarly); zero when that is not known.
	Cost time.Duration
	// Scope says who may share it.
	Scope Scope
	// Generation is the generation of its server when the request for it was sent upstream (see Cache.Generation).
	Generation uint64
	// Layout is where the parts of an MCP result stand that change from one caller to the next. Memory reads it at an entry's
	// first hit; nil is not read yet, or cannot be read.
	Layout *mcp.Layout
}

// HeaderField is one response header.
type HeaderField struct{ Name, Value string }

// Age returns how long the entry has been stored at now, never negative.
func (e Entry) Age(now time.Time) time.Duration { return max(0, now.Sub(e.Stored)) }

// Fresh reports whether the entry may be served at now without asking the upstream (RFC 9111 section 4.2).
func (e Entry) Fresh(now time.Time) bool { return e.Age(now) < e.TTL }

// Kept reports whether the entry is there at now, fresh or stale.
func (e Entry) Kept(now time.Time) bool { return e.Age(now) < e.kept() }

// kept returns how long the entry is kept from Stored.
func (e Entry) kept() time.Duration { return max(e.TTL, e.Keep) }

// clone returns an entry that shares no bytes with e.
func (e Entry) clone() Entry {
	e.Body = bytes.Clone(e.Body)
	e.Header = slices.Clone(e.Header)
	return e
}
