//go:build !race

package mcp_test

import (
	"testing"
	"time"

	"sark/internal/mcp"
)

// A call of usual size must cost no allocation: this is on the way of every request. The race
// detector makes pools forget at random, so it is left out there.
func TestParseDoesNotAllocate(t *testing.T) {
	bodies := map[string][]byte{
		"small": callOf(200), "4KB": callOf(4 << 10),
		"response": []byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}`),
	}
	for name, body := range bodies {
		var c mcp.Call
		allocs := testing.AllocsPerRun(100, func() {
			if err := mcp.Parse(&c, body, mcp.Header{}); err != nil {
				t.Fatal(err)
			}
		})
		if allocs >= 1 { // the pool may be emptied once in a while
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// A list that comes from the cache is filtered for each caller, without a new allocation.
func TestLayoutDoesNotAllocate(t *testing.T) {
	const result = `{"ttlMs":1000,"cacheScope":"public","tools":[{"name":"a"},{"name":"no"},{"name":"b"}]}`
	l, err := mcp.ReadLayout([]byte(result))
	if err != nil {
		t.Fatal(err)
	}
	dst, raw := make([]byte, 0, 2*len(result)), []byte(result)
	if n := testing.AllocsPerRun(100, func() {
		dst, _ = l.Append(dst[:0], raw, time.Millisecond, func(_, id string) bool { return id != "no" })
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
