package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sark/configs"
)

// TestRedisSettings sets each of the seed's variables in both spellings and finds it in the live client. It is inside the
// package because the client is not for others.
func TestRedisSettings(t *testing.T) {
	for _, c := range []struct {
		variable, value string
		live            func(*redis.Options) any
		want            any
	}{
		{"POOL_SIZE", "77", func(o *redis.Options) any { return [2]int{o.PoolSize, o.MaxActiveConns} }, [2]int{77, 77}},
		{"MIN_IDLE", "3", func(o *redis.Options) any { return o.MinIdleConns }, 3},
		{"MIN_IDLE", "9000", func(o *redis.Options) any { return o.MinIdleConns }, 50},
		{"SOCKET_TIMEOUT", "2.5", func(o *redis.Options) any { return [2]time.Duration{o.ReadTimeout, o.WriteTimeout} }, [2]time.Duration{2500 * time.Millisecond, 2500 * time.Millisecond}},
		{"SOCKET_CONNECT_TIMEOUT", "7", func(o *redis.Options) any { return o.DialTimeout }, 7 * time.Second},
		{"RETRY_ON_TIMEOUT", "false", func(o *redis.Options) any { return o.MaxRetries }, 0},
		{"RETRY_ON_TIMEOUT", "true", func(o *redis.Options) any { return o.MaxRetries }, 3},
	} {
		for _, spelling := range []string{"VALKEY_", "REDIS_"} {
			t.Run(spelling+c.variable+"="+c.value, func(t *testing.T) {
				loaded, err := configs.Load(configs.Options{Environ: []string{
					spelling + c.variable + "=" + c.value, "SARK_REDIS_URL=redis://127.0.0.1:1",
				}})
				if err != nil {
					t.Fatal(err)
				}
				config := loaded.Config.Redis
				config.URL = "redis://127.0.0.1:1"
				client, err := redisClient(config)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = client.Close() }() // it was never used

				got := c.live(client.(*redis.Client).Options())

				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("in the live client (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSentinelClient finds the settings in the client of a Sentinel's master, and refuses addresses that lead elsewhere.
func TestSentinelClient(t *testing.T) {
	settings := configs.Default().Redis
	settings.Topology, settings.MinIdle = "sentinel", 0
	for url, ok := range map[string]bool{
		"redis://127.0.0.1:1?master_name=m&addr=127.0.0.1:2":      true,
		"redis://127.0.0.1:1":                                     false,
		"redis://127.0.0.1:1?master_name=m&route_randomly=true":   false,
		"redis://127.0.0.1:1?master_name=m&route_by_latency=true": false,
		"redis://127.0.0.1:1?master_name=m&replica_only=true":     false,
	} {
		settings.URL = url
		client, err := redisClient(settings)
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil {
			continue
		}
		o := client.(*redis.Client).Options()
		got := []any{o.PoolSize, o.MaxActiveConns, o.ReadTimeout, o.WriteTimeout, o.DialTimeout, o.MaxRetries, o.ContextTimeoutEnabled}
		want := []any{50, 50, 5 * time.Second, 5 * time.Second, 5 * time.Second, 3, true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in the live client (-want +got):\n%s", diff)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}
