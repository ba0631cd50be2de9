package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// Kind is what is bound. An id of one kind says nothing about the same id of another.
type Kind string

// The kinds.
const (
	Session  Kind = "session"  // Mcp-Session-Id
	Task     Kind = "task"     // taskId
	Question Kind = "question" // a server's request to its client
	Address  Kind = "address"  // where a client of the HTTP+SSE transport sends its messages
)

// DefaultTimeout bounds one question to Redis when Options.Timeout is zero.
const DefaultTimeout = 5 * time.Second

// DefaultPrefix begins the names of bindings in Redis when Options.Prefix is empty.
const DefaultPrefix = "session:"

// minKeyBytes is the shortest HMAC key.
const minKeyBytes = 32

// recheck is how long what Redis said of a binding stands without asking again. It is also how late a use is told to Redis.
const recheck = 30 * time.Second

// Options bound the table, and say where it is shared.
type Options struct {
	// TTL is how long a binding may go unused; required.
	TTL time.Duration
	// MaxPerPrincipal is how many bindings of one kind one principal may hold here; the one unused for longest makes room. Default 1000.
	MaxPerPrincipal int
	// Max is how many bindings are remembered here in all; the one unused for longest makes room. Default 100,000, about
	// 50 MB.
	Max int
	// Client is where bindings are shared: one server, Sentinel or Cluster. It stays the caller's, who closes it after the
	// Bindings, and must be made with ContextTimeoutEnabled. Nil keeps them in this process.
	Client redis.UniversalClient
	// Timeout bounds one question to Redis; default DefaultTimeout.
	Timeout time.Duration
	// Health is the pause between two PINGs while all is well; default that of redisguard.
	Health time.Duration
	// Prefix begins the names of bindings in Redis; default DefaultPrefix.
	Prefix string
	// HMACKey signs bindings in Redis, so that whoever else can write there cannot forge one. At least 32 bytes; nil leaves
	// them unsigned.
	HMACKey []byte
	// Registerer receives the metrics; nil leaves them out.
	Registerer prometheus.Registerer
}

// Bindings is the table of sessions and tasks and their owners. All methods but Close may be called from several goroutines
// at once.
//
// With a Client, Redis knows best, and this process remembers what it said for half a minute. When Redis cannot be asked,
// what this process remembers stands; of anything else it is unknown whose it is, which is ErrUnavailable.
type Bindings struct {
	table   *table
	shared  *shared             // nil without a Client
	breaker *redisguard.Breaker // before shared; nil without a Client
}

// ErrUnavailable means that nobody here knows whose a binding is, because Redis cannot be asked.
var ErrUnavailable = errors.New("session: bindings cannot be looked up")

// New returns an empty table, which the caller must Close, or an error that says which option is wrong. It does not connect.
func New(o Options) (*Bindings, error) {
	if o.TTL <= 0 {
		return nil, errors.New("session: Options.TTL must be positive")
	}
	if o.MaxPerPrincipal == 0 {
		o.MaxPerPrincipal = 1000
	}
	if o.Max == 0 {
		o.Max = 100_000
	}
	if o.MaxPerPrincipal < 0 || o.Max < 0 {
		return nil, errors.New("session: Options.MaxPerPrincipal and Options.Max must not be negative")
	}
	if n := len(o.HMACKey); n > 0 && n < minKeyBytes {
		return nil, fmt.Errorf("session: Options.HMACKey has %d bytes, needs %d", n, minKeyBytes)
	}
	b := &Bindings{table: newTable(o)}
	if o.Client == nil {
		return b, nil
	}
	var err error
	if b.shared, err = newShared(o); err != nil {
		return nil, err
	}
	b.breaker = b.shared.breaker
	return b, nil
}

// Bind makes owner the owner of what a server has just opened. It reports false, and changes nothing, when the id belongs to
// somebody else: a server that hands out an id twice must not hand over a session with it. When Redis cannot be asked, the
// binding is kept here, and shared when it is next used. There is no error yet; callers refuse on one.
func (b *Bindings) Bind(ctx context.Context, kind Kind, id []byte, owner [32]byte, now time.Time) (bool, error) {
	key := digestOf(kind, id)
	if b.shared == nil {
		ok, _ := b.table.bind(kind, key, owner, now, time.Time{})
		return ok, nil
	}
	ok, err := b.shared.ask(ctx, modeBind, key, owner)
	if err == nil && !ok {
		b.table.drop(key, owner)
		return false, nil
	}
	return b.remember(ctx, kind, key, owner, now, err == nil), nil
}

// remember keeps a binding here, and ends those that had to make room everywhere.
func (b *Bindings) remember(ctx context.Context, kind Kind, key digest, owner [32]byte, now time.Time, confirmed bool) bool {
	at := time.Time{}
	if confirmed {
		at = now
	}
	ok, ended := b.table.bind(kind, key, owner, now, at)
	if !ok && confirmed { // it had another owner once, and Redis knows best
		b.table.forget(key)
		ok, ended = b.table.bind(kind, key, owner, now, at)
	}
	for _, old := range ended {
		_, _ = b.shared.ask(ctx, modeDrop, old, owner) // else it ends with its TTL
	}
	return ok
}

// Owned reports whether the id is known and belongs to owner, and counts as use. It is false for an id that is unknown and
// for one of somebody else, alike. The error is ErrUnavailable.
func (b *Bindings) Owned(ctx context.Context, kind Kind, id []byte, owner [32]byte, now time.Time) (bool, error) {
	key := digestOf(kind, id)
	known, confirmed := b.table.owned(key, owner, now)
	if b.shared == nil || known && now.Sub(confirmed) < min(recheck, b.table.ttl/4) {
		return known, nil
	}
	mode := modeUse
	if known {
		mode = modeBind // should Redis have lost it, or never known
	}
	ok, err := b.shared.ask(ctx, mode, key, owner)
	switch {
	case err != nil && known:
		return true, nil
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !ok:
		b.table.drop(key, owner)
		return false, nil
	}
	return b.remember(ctx, kind, key, owner, now, true), nil
}

// Drop forgets what has ended. Only its owner can. When Redis cannot be asked, it is forgotten there at the end of its TTL.
func (b *Bindings) Drop(ctx context.Context, kind Kind, id []byte, owner [32]byte) {
	key := digestOf(kind, id)
	b.table.drop(key, owner)
	if b.shared != nil {
		_, _ = b.shared.ask(ctx, modeDrop, key, owner) // counted there
	}
}

// Len is how many bindings are remembered here.
func (b *Bindings) Len() int { return b.table.len() }

// Err returns why bindings are not shared at the moment; nil when they are, or when there is no Redis.
func (b *Bindings) Err() error { return b.breaker.Err() }

// Close ends the PINGs. It does not close the client.
func (b *Bindings) Close() { b.breaker.Close() }
