package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sark/internal/api"
)

// call asks the management API: in is the body, nil for none, and out takes the answer.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write the question: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "sark/"+currentBuild().Version)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return plainCause(err)
	}
	defer reply.Body.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	switch {
	case err != nil:
		return fmt.Errorf("read the reply: %w", err)
	case reply.StatusCode >= http.StatusMultipleChoices:
		return &refusal{reply.StatusCode, detailOf(text)}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &refusal{reply.StatusCode, "the reply is not what was asked for"}
	}
	return nil
}

// printCacheStats writes statistics for people.
func (p *program) printCacheStats(s *api.CacheStats, redis bool) error {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	rows := [][]string{
		{"hit rate", hitRate(s)},
		{"hits, stale, misses", n(s.Hits) + ", " + n(s.Stale) + ", " + n(s.Misses)},
		{"passed by", n(s.Bypasses)},
		{"found in L1, L2", n(s.L1Hits) + ", " + n(s.L2Hits)},
		{"stored, not storable", n(s.Stores) + ", " + n(s.Rejects)},
		{"held here", fmt.Sprintf("%d entries, %s", s.Entries, size(s.Bytes))},
		{"evicted", n(s.Evictions)},
		{"invalidations, errors", n(s.Invalidations) + ", " + n(s.Errors)},
	}
	if s.Trouble != nil {
		rows = append(rows, []string{"trouble", *s.Trouble})
	}
	switch {
	case s.Redis != nil:
		rows = append(rows, redisRows(s.Redis)...)
	case redis:
		rows = append(rows, []string{"redis", "none: redis.url is not set, so each gateway has a cache of its own"})
	}
	t := table{out: p.stdout}
	if err := t.write(rows...); err != nil || len(s.Classes) == 0 {
		return err
	}
	return p.printCacheClasses(s.Classes)
}

// redisRows are what the shared server says of itself, under the names that redis-cli shows.
func redisRows(r *api.CacheRedis) [][]string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	limit := size(r.MaxMemory)
	if r.MaxMemory == 0 {
		limit = "no limit"
	}
	return [][]string{
		{"redis connected_clients", n(r.ConnectedClients)},
		{"redis total_connections_received", n(r.TotalConnectionsReceived)},
		{"redis keyspace_hits", n(r.KeyspaceHits)},
		{"redis keyspace_misses", n(r.KeyspaceMisses)},
		{"redis evicted_keys", n(r.EvictedKeys)},
		{"redis keys", n(r.Keys)},
		{"redis used_memory", size(r.UsedMemory)},
		{"redis maxmemory", limit},
		{"redis maxmemory_policy", r.MaxMemoryPolicy},
	}
}

// hitRate is the part of the answers that came from the cache, where there were any.
func hitRate(s *api.CacheStats) string {
	if s.Hits+s.Stale+s.Misses == 0 {
		return "none yet"
	}
	return strconv.FormatFloat(100*s.HitRate, 'f', 1, 64) + " %"
}

// size writes a number of bytes for people.
func size(bytes int64) string {
	if bytes < 1<<10 {
		return strconv.FormatInt(bytes, 10) + " bytes"
	}
	value, unit := float64(bytes)/(1<<10), 0
	for value >= 1<<10 {
		value, unit = value/(1<<10), unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"}[unit]
}

func (p *program) printCacheClasses(classes []api.CacheClass) error {
	if _, err := fmt.Fprintln(p.stdout); err != nil {
		return err
	}
	rows := [][]string{{"CLASS", "SERVER", "HITS", "STALE", "MISSES", "EVICTED", "PASSED BY"}}
	for _, c := range classes {
		var reasons []string
		for reason, n := range c.Bypasses {
			reasons = append(reasons, reason+" "+strconv.FormatUint(n, 10))
		}
		slices.Sort(reasons)
		rows = append(rows, []string{
			c.Class, c.Server, strconv.FormatUint(c.Hits, 10), strconv.FormatUint(c.Stale, 10), strconv.FormatUint(c.Misses, 10),
			strconv.FormatUint(c.Evictions, 10), strings.Join(reasons, ", "),
		})
	}
	t := table{out: p.stdout}
	return t.write(rows...)
}
