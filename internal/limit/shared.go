package limit

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// takeSource is the script that spends from all buckets or from none: Redis runs it as a whole.
//
//go:embed take.lua
var takeSource string

// shared are the buckets in Redis. Their values are untrusted numbers: whatever is there counts as a debt between none and
// a whole burst.
type shared struct {
	client  redis.UniversalClient
	breaker *redisguard.Breaker
	script  *redis.Script
	prefix  string
}

func newShared(o CounterOptions) (*shared, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	b, err := redisguard.New(redisguard.Options{
		Client: o.Client, Limit: o.Timeout, Health: o.Health, Meanwhile: "limits are counted in this process alone",
	})
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	return &shared{client: o.Client, breaker: b, script: redis.NewScript(takeSource), prefix: o.Prefix}, nil
}

// errReply means that the script answered something that it cannot.
var errReply = errors.New("an unexpected reply of the script")

// take is Table.Take in Redis.
func (s *shared) take(ctx context.Context, quotas []Quota) (v Verdict, err error) {
	keys, args := make([]string, len(quotas)), make([]any, 0, 2*len(quotas))
	for i := range quotas {
		keys[i] = s.key(&quotas[i])
		args = append(args, inGrains(quotas[i].Rate.interval), inGrains(quotas[i].Rate.window()))
	}
	err = s.breaker.Do(ctx, func(ctx context.Context) error {
		reply, err := s.script.Run(ctx, s.client, keys, args...).Int64Slice()
		if err != nil {
			return err
		}
		if len(reply) != 1+len(quotas) {
			return errReply
		}
		var d debts
		for i := range quotas {
			d[i] = reply[1+i] * int64(grain)
		}
		v = judge(quotas, &d, reply[0] == 1)
		return nil
	})
	if err != nil {
		return Verdict{}, fmt.Errorf("count in redis: %w", err)
	}
	return v, nil
}

// key names a bucket by a digest, so that Redis does not learn who calls what. All buckets have one hash tag, since a
// Cluster runs a script only over keys of one slot.
func (s *shared) key(q *Quota) string {
	h := sha256.New()
	var fixed [20]byte
	binary.BigEndian.PutUint32(fixed[:], uint32(len(q.Name)))       //nolint:gosec // names are short
	binary.BigEndian.PutUint64(fixed[4:], uint64(q.Rate.burst))     //nolint:gosec // at least 1
	binary.BigEndian.PutUint64(fixed[12:], uint64(q.Rate.interval)) //nolint:gosec // at least 1
	_, _ = h.Write(fixed[:])                                        // never fails
	_, _ = h.Write([]byte(q.Name + q.Key))
	return s.prefix + "{buckets}:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// inGrains returns nanoseconds in the unit of the script.
func inGrains(n int64) int64 { return n / int64(grain) }
