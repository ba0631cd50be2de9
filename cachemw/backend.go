package cachemw

import "context"

// Backend keeps entries and generations. Memory is one; package cachetest holds the suite that each must pass. All methods
// may be called from several goroutines at once. Errors mean that the backend is in trouble, never that there is no entry.
type Backend interface {
	// Load returns the entry of a key. An entry that has expired or belongs to an ended generation is not there.
	Load(ctx context.Context, key Key) (Entry, bool, error)
	// Save stores an entry until it expires, room is needed or its generation ends. An entry of a generation that has ended
	// already is dropped without an error. The backend copies what it keeps.
	Save(ctx context.Context, key Key, e Entry) error
	// Generation returns the current generation of a server and makes one when there is none. A value is never zero and
	// never used twice, so an entry of an ended generation, or of one that was evicted, cannot come back.
	Generation(ctx context.Context, server string) (uint64, error)
	// Invalidate ends the generation of a server. When it returns nil, no entry of it is ever loaded again.
	Invalidate(ctx context.Context, server string) error
	// InvalidateAll ends all generations.
	InvalidateAll(ctx context.Context) error
	// Usage returns how much is stored.
	Usage() Usage
	// Close stops what the backend runs and waits for it.
	Close() error
}

// Usage says how much a backend holds.
type Usage struct {
	// Entries is the number of entries, about.
	Entries int
	// Bytes is their weight, about.
	Bytes int64
	// Evictions counts entries that had to go to make room.
	Evictions uint64
}
