package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// askSource is the script that compares and writes: Redis runs it as a whole.
//
//go:embed ask.lua
var askSource string

// What the script does with a binding of the asker; it never touches one of somebody else.
const (
	modeUse  = "use"
	modeBind = "bind"
	modeDrop = "drop"
)

// valueVersion is the first byte of every value. It changes when what follows does.
const valueVersion = 1

// shared are the bindings in Redis, under digests of their ids.
//
// What is stored is never read as anything: a value is one byte and a digest of the binding and its owner, which Redis
// compares with that of the asker. With a key the digest is an HMAC-SHA-256, so nobody without it can write one that is
// right; and a value is right under one name only.
type shared struct {
	client  redis.UniversalClient
	breaker *redisguard.Breaker
	script  *redis.Script
	prefix  string
	ttl     time.Duration
	key     []byte
	errors  prometheus.Counter
}

func newShared(o Options) (*shared, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	b, err := redisguard.New(redisguard.Options{
		Client: o.Client, Limit: o.Timeout, Health: o.Health, Meanwhile: "sessions are known to this process alone",
	})
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	s := &shared{client: o.Client, breaker: b, script: redis.NewScript(askSource), prefix: o.Prefix, ttl: o.TTL, key: o.HMACKey}
	s.errors = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sark_session_redis_errors_total", Help: "Questions to Redis that ended in an error, those left out while the breaker was open apart.",
	})
	if o.Registerer == nil {
		return s, nil
	}
	for _, c := range append(b.Metrics("sark_session"), s.errors) {
		if err := o.Registerer.Register(c); err != nil {
			b.Close()
			return nil, fmt.Errorf("session: register metrics: %w", err)
		}
	}
	return s, nil
}

// ask runs the script on a binding and reports whether it is the owner's, after the script in modeBind and modeUse.
func (s *shared) ask(ctx context.Context, mode string, id digest, owner [32]byte) (mine bool, err error) {
	name := s.prefix + hex.EncodeToString(id[:])
	err = s.breaker.Do(ctx, func(ctx context.Context) error {
		n, err := s.script.Run(ctx, s.client, []string{name}, mode, s.value(id, owner), s.ttl.Milliseconds()).Int()
		mine = n == 1
		return err
	})
	if err != nil {
		if !errors.Is(err, redisguard.ErrOpen) {
			s.errors.Inc()
		}
		return false, fmt.Errorf("ask redis for a binding: %w", err)
	}
	return mine, nil
}

// value is what a binding of owner holds.
func (s *shared) value(id digest, owner [32]byte) []byte {
	sum := sha256.New()
	if len(s.key) > 0 {
		sum = hmac.New(sha256.New, s.key)
	}
	_, _ = sum.Write([]byte("sark binding\x00")) // never fails
	_, _ = sum.Write(id[:])
	_, _ = sum.Write(owner[:])
	return sum.Sum([]byte{valueVersion})
}
