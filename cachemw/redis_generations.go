package cachemw

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Two kinds of records say which entries are live. The epoch is one for all servers: sixteen hexadecimal digits and the
// incarnation of the Redis processes that it was made in. A generation is one per server: sixteen digits of its own and the
// sixteen of the epoch that it belongs to. An entry is live while its server's record holds its generation, that record's
// epoch is the current one, and the epoch's incarnation is the current one. So ending one server deletes its record, ending
// all deletes the epoch, and a record that is gone, because it was deleted, evicted or lost in a restart, is replaced by one
// with a new value: nothing ever makes an old value current again.
const (
	valueDigits       = 16
	incarnationBytes  = 20
	incarnationDigits = 2 * incarnationBytes
	epochDigits       = valueDigits + incarnationDigits
	generationDigits  = 2 * valueDigits
)

// generationLifetime is how long a generation is kept at most, so that servers which are gone leave nothing behind. Its end
// costs misses and nothing else.
const generationLifetime = 7 * 24 * time.Hour

// renewals is how often Generation makes a missing record before it gives up.
const renewals = 4

// errContended means that records vanish as fast as they are made.
var errContended = errors.New("generation records do not stay: is the server out of memory?")

// Generation implements Backend.
func (r *Redis) Generation(ctx context.Context, server string) (uint64, error) {
	var generation uint64
	err := r.breaker.Do(ctx, func(ctx context.Context) (err error) {
		for attempt := range renewals {
			now, err := r.records(ctx, server)
			if err != nil {
				return err
			}
			if generation = now.generation; now.live() {
				return nil
			}
			generation, err = r.renew(ctx, server, now, attempt > 0)
			if generation != 0 || err != nil {
				return err
			}
		}
		return errContended
	})
	if err != nil {
		return 0, r.failed("generation", fmt.Errorf("read generation of %q from redis: %w", server, err))
	}
	r.names.remember(server, generation)
	return generation, nil
}

// Invalidate implements Backend. It is tried even when the breaker is open, for as long as RedisOptions.Timeout.
func (r *Redis) Invalidate(ctx context.Context, server string) error {
	return r.delete(ctx, r.generationKey(server))
}

// InvalidateAll implements Backend. It is tried even when the breaker is open, for as long as RedisOptions.Timeout.
func (r *Redis) InvalidateAll(ctx context.Context) error {
	return r.delete(ctx, r.epochKey())
}

// delete deletes a record. That it may be sent twice does no harm.
func (r *Redis) delete(ctx context.Context, record string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Del(ctx, record).Err(); err != nil {
		return r.failed("invalidate", fmt.Errorf("delete %s from redis: %w", record, err))
	}
	return nil
}

// records is what was read about a server.
type records struct {
	// epoch is the current epoch and epochRaw its record; zero when the record is not sound.
	epoch    uint64
	epochRaw string
	// generation is the server's and of its epoch; zero when the record is not sound.
	generation, of uint64
	generationRaw  string
}

// live reports whether the generation is the current one.
func (n records) live() bool { return n.epoch != 0 && n.generation != 0 && n.of == n.epoch }

// records reads the records of a server in one round trip.
func (r *Redis) records(ctx context.Context, server string) (records, error) {
	var n records
	pipe := r.client.Pipeline()
	epoch := pipe.GetRange(ctx, r.epochKey(), 0, epochDigits)
	generation := pipe.GetRange(ctx, r.generationKey(server), 0, generationDigits)
	if _, err := pipe.Exec(ctx); err != nil && !wrongType(err) {
		return n, err
	}
	if err := epoch.Err(); err != nil && !wrongType(err) {
		return n, err
	}
	if err := generation.Err(); err != nil && !wrongType(err) {
		return n, err
	}
	incarnation, err := r.incarnation.current(ctx)
	if err != nil {
		return n, err
	}
	n.epochRaw, n.generationRaw = recordText(epoch), recordText(generation)
	if len(n.epochRaw) == epochDigits && n.epochRaw[valueDigits:] == incarnation {
		n.epoch = parseRecordValue(n.epochRaw[:valueDigits])
	}
	if len(n.generationRaw) == generationDigits {
		n.generation = parseRecordValue(n.generationRaw[:valueDigits])
		n.of = parseRecordValue(n.generationRaw[valueDigits:])
	}
	return n, nil
}

// recordText returns the text of a record. What is not even text is a record that must be replaced.
func recordText(c *redis.StringCmd) string {
	if c.Err() != nil {
		return "not text"
	}
	return c.Val()
}

// parseRecordValue reads the digits of a record; 0 when they are none.
func parseRecordValue(digits string) uint64 {
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0
	}
	return v
}

// renew makes the first record that is missing or not sound: the epoch, or the generation, which it returns when it is
// current now. Where two gateways do so at once one wins, and the other reads the records again. To force is to win: it
// costs the other's fills, and is needed for a record that is there and looks as if it were not.
func (r *Redis) renew(ctx context.Context, server string, n records, force bool) (uint64, error) {
	if n.epoch == 0 {
		incarnation, err := r.incarnation.current(ctx)
		if err != nil {
			return 0, err
		}
		_, err = r.make(ctx, r.epochKey(), recordValue(newValue())+incarnation, 0, n.epochRaw != "" || force)
		return 0, err
	}
	generation := newValue()
	record := recordValue(generation) + recordValue(n.epoch)
	made, err := r.make(ctx, r.generationKey(server), record, generationLifetime, n.generationRaw != "" || force)
	if !made {
		return 0, err
	}
	return generation, nil
}

// make writes a record, unless there is one and it must not replace it. It is sent at most once: sent again after somebody
// deleted what the first one wrote, it would bring an ended generation back.
func (r *Redis) make(ctx context.Context, key, value string, lifetime time.Duration, replace bool) (bool, error) {
	args := []any{"set", key, value}
	if lifetime > 0 {
		args = append(args, "px", lifetime.Milliseconds())
	}
	if !replace {
		args = append(args, "nx")
	}
	err := r.client.Process(ctx, once{redis.NewStatusCmd(ctx, args...)})
	if errors.Is(err, redis.Nil) { // Somebody else was first.
		return false, nil
	}
	return err == nil, err
}

// once is a command that the client does not send again when it is not answered.
type once struct{ *redis.StatusCmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// recordValue writes a value as digits.
func recordValue(v uint64) string { return fmt.Sprintf("%0*x", valueDigits, v) }

// newValue returns a value that was never used. It is random in all its bits: many gateways make values in the same
// microsecond after a purge, and time would leave too few bits to tell them apart.
func newValue() uint64 {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // It never returns an error.
		if v := binary.BigEndian.Uint64(b[:]); v != 0 {
			return v
		}
	}
}
