package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"sark/configs"
	"sark/internal/app"
	"sark/internal/testkit"
)

// TestRedisWarnings asks real servers: one that evicts, one that does not, one that has no bound, and one that is gone.
func TestRedisWarnings(t *testing.T) {
	evicting := testkit.StartRedis(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
	keeping := testkit.StartRedis(t, "--maxmemory", "4mb")
	boundless := testkit.StartRedis(t, "--maxmemory-policy", "volatile-ttl")
	gone := testkit.StartRedis(t)
	gone.Kill()
	for name, c := range map[string]struct {
		change func(c *configs.Config)
		want   []string // the beginnings
	}{
		"none":        {func(*configs.Config) {}, nil},
		"no bound":    {func(c *configs.Config) { c.Redis.URL = boundless.URL() }, nil},
		"no eviction": {func(c *configs.Config) { c.Redis.URL = keeping.URL() }, nil},
		"eviction": {func(c *configs.Config) { c.Redis.URL = evicting.URL() }, []string{
			"sessions.redis_url: sessions end early when the Redis there is full, since its maxmemory-policy is allkeys-lru; name",
			"limits.redis_url: limits begin anew when the Redis there is full, since its maxmemory-policy is allkeys-lru; name",
		}},
		"apart": {func(c *configs.Config) {
			c.Redis.URL, c.Sessions.RedisURL, c.Limits.Shared = evicting.URL(), keeping.URL(), false
		}, nil},
		"gone": {func(c *configs.Config) { c.Redis.URL = gone.URL() }, []string{
			"redis.url: cannot tell whether the Redis there evicts keys: ask redis for INFO: ",
		}},
		"sessions gone": {func(c *configs.Config) {
			c.Redis.URL, c.Sessions.RedisURL = keeping.URL(), gone.URL()
		}, []string{
			"sessions.redis_url: cannot tell whether the Redis there evicts keys: ask redis for INFO: ",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			config := configs.Default()
			c.change(&config)

			got := app.RedisWarnings(t.Context(), &config, zap.NewNop())

			for i := range min(len(got), len(c.want)) {
				if strings.HasPrefix(got[i], c.want[i]) {
					got[i] = c.want[i]
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
