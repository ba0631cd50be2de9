package cachemw

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"sark/internal/redisguard"
)

// incarnation tells which Redis processes a client talks to. A restart loads an old snapshot, and a failover may lose the
// last writes: both can bring an ended generation back to life. Redis gives every process a random run_id, so the run_ids
// of all masters together say whether what was written is still what is there.
//
// Asking costs a round trip, so it is done only after a new connection was dialled: whoever talks to another process must
// have dialled it.
type incarnation struct {
	client redis.UniversalClient
	dials  atomic.Uint64

	mu    sync.Mutex
	known string // guarded by mu; empty when never asked
	asOf  uint64 // guarded by mu; the number of dials when it was asked
}

// clusterClient is what a redis.ClusterClient has beyond a UniversalClient.
type clusterClient interface {
	OnNewNode(fn func(c *redis.Client))
}

// newIncarnation watches the dials of client from now on.
func newIncarnation(client redis.UniversalClient) *incarnation {
	i := &incarnation{client: client}
	if cluster, ok := client.(clusterClient); ok {
		cluster.OnNewNode(func(c *redis.Client) { c.AddHook(dialCounter{&i.dials}) })
	} else {
		client.AddHook(dialCounter{&i.dials})
	}
	return i
}

// current returns the fingerprint of the processes: 40 hexadecimal digits. What was read before the call was read from them.
func (i *incarnation) current(ctx context.Context) (string, error) {
	dials := i.dials.Load()
	i.mu.Lock()
	known, asOf := i.known, i.asOf
	i.mu.Unlock()
	if known != "" && asOf == dials {
		return known, nil
	}
	known, err := i.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for run_id: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known == "" || dials >= i.asOf {
		i.known, i.asOf = known, dials
	}
	return known, nil
}

// errNoRunID means that INFO says nothing about the process.
var errNoRunID = errors.New("INFO has no run_id")

// ask asks every master for its run_id.
func (i *incarnation) ask(ctx context.Context) (string, error) {
	var mu sync.Mutex
	var ids []string
	err := redisguard.EachMaster(ctx, i.client, func(ctx context.Context, c redis.UniversalClient) error {
		text, err := c.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		id := redisguard.InfoFields(text)["run_id"]
		if id == "" {
			return errNoRunID
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	return hex.EncodeToString(sum[:incarnationBytes]), nil
}

// dialCounter counts the connections that were dialled, before any is used.
type dialCounter struct{ dials *atomic.Uint64 }

// DialHook implements redis.Hook.
func (d dialCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		d.dials.Add(1)
		return conn, err
	}
}

// ProcessHook implements redis.Hook.
func (dialCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (dialCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
