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
		{"hit rate", strconv.FormatFloat(100*s.HitRate, 'f', 1, 64) + " %"},
		{"hits, stale, misses", n(s.Hits) + ", " + n(s.Stale) + ", " + n(s.Misses)},
		{"passed by", n(s.Bypasses)},
		{"found in L1, L2", n(s.L1Hits) + ", " + n(s.L2Hits)},
		{"stored, not storable", n(s.Stores) + ", " + n(s.Rejects)},
		{"held here", fmt.Sprintf("%d entries, %d bytes", s.Entries, s.Bytes)},
		{"evicted", n(s.Evictions)},
		{"invalidations, errors", n(s.Invalidations) + ", " + n(s.Errors)},
	}
	if s.Trouble != nil {
		rows = append(rows, []string{"trouble", *s.Trouble})
	}
	switch r := s.Redis; {
	case r != nil:
		for _, f := range []struct {
			name  string
			value int64
		}{
			{"connected_clients", r.ConnectedClients},
			{"total_connections_received", r.TotalConnectionsReceived},
			{"keyspace_hits", r.KeyspaceHits},
			{"keyspace_misses", r.KeyspaceMisses},
			{"evicted_keys", r.EvictedKeys},
			{"keys", r.Keys},
			{"used_memory", r.UsedMemory},
			{"maxmemory", r.MaxMemory},
		} {
			rows = append(rows, []string{"redis " + f.name, strconv.FormatInt(f.value, 10)})
		}
		rows = append(rows, []string{"redis maxmemory_policy", r.MaxMemoryPolicy})
	case redis:
		rows = append(rows, []string{"redis", "none: the cache is in this process alone (redis.url)"})
	}
	t := table{out: p.stdout}
	if err := t.write(rows...); err != nil || len(s.Classes) == 0 {
		return err
	}
	return p.printCacheClasses(s.Classes)
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
