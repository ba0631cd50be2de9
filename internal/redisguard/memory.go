package redisguard

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Evicts asks the server, or every master of a cluster, whether it removes keys that have a time to live before their time
// when its memory is full. It returns the maxmemory-policy that says so, or "" when it does not: then maxmemory is 0 or the
// policy noeviction.
func Evicts(ctx context.Context, client redis.UniversalClient) (policy string, err error) {
	var mu sync.Mutex
	err = EachMaster(ctx, client, func(ctx context.Context, c redis.UniversalClient) error {
		text, err := c.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		fields := InfoFields(text)
		mu.Lock()
		defer mu.Unlock()
		if fields["maxmemory"] != "0" && fields["maxmemory_policy"] != "noeviction" {
			policy = fields["maxmemory_policy"]
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("ask redis for INFO: %w", err)
	}
	return policy, nil
}

// InfoFields reads the lines "name:value" of INFO.
func InfoFields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
