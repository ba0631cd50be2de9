package cachemw_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
)

func TestCacheableMethod(t *testing.T) {
	got := map[string]bool{}
	for _, m := range []string{
		"server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read",
		"tools/call", "prompts/get", "completion/complete", "initialize", "ping", "subscriptions/listen", "tasks/list",
		"TOOLS/LIST", "tools/list ", "",
	} {
		if cachemw.CacheableMethod(m) {
			got[m] = true
		}
	}
	want := map[string]bool{
		"server/discover": true, "tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true,
		"resources/read": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRouteTTL(t *testing.T) {
	rules := cachemw.Rules{ServerList: 30 * time.Second, ServerDetail: 300 * time.Second, Health: 60 * time.Second}
	routes := []string{
		"servers.list", "servers.get", "servers.create", "policy.evaluate", "audit.events", "audit.keys", "audit.head",
		"health", "health.detailed", "health.pools", "health.ready", "health.live", "health.startup", "",
	}
	ttls := func(r cachemw.Rules) map[string]time.Duration {
		m := map[string]time.Duration{}
		for _, route := range routes {
			if ttl, ok := r.TTL(route); ok {
				m[route] = ttl
			}
		}
		return m
	}
	want := map[string]time.Duration{
		"servers.list": 30 * time.Second, "servers.get": 300 * time.Second,
		"health": time.Minute,
	}
	if diff := cmp.Diff(want, ttls(rules)); diff != "" {
		t.Error(diff)
	}
	rules.Readiness = true
	for _, route := range []string{"health.ready", "health.detailed", "health.pools"} {
		want[route] = time.Minute
	}
	if diff := cmp.Diff(want, ttls(rules)); diff != "" {
		t.Errorf("with readiness: %s", diff)
	}
	if diff := cmp.Diff(map[string]time.Duration{}, ttls(cachemw.Rules{Readiness: true})); diff != "" {
		t.Errorf("without rules: %s", diff)
	}
}

func TestStorable(t *testing.T) {
	good := func() cachemw.Entry {
		return cachemw.Entry{
			Status: 200, ContentType: "application/json", Body: []byte("{}"), Stored: noon, TTL: time.Second, Scope: cachemw.Private,
		}
	}
	for _, c := range []struct {
		name   string
		change func(*cachemw.Entry)
		want   bool
	}{
		{"good", func(*cachemw.Entry) {}, true},
		{"public", func(e *cachemw.Entry) { e.Scope = cachemw.Public }, true},
		{"with a validator", func(e *cachemw.Entry) { e.Header = []cachemw.HeaderField{{Name: "ETag", Value: `"1"`}} }, true},
		{"varies on Accept", func(e *cachemw.Entry) { e.Header = []cachemw.HeaderField{{Name: "Vary", Value: "accept"}} }, true},
		{"varies on what its key knows", func(e *cachemw.Entry) {
			e.Header = []cachemw.HeaderField{{Name: "vary", Value: "Accept, Authorization"}}
		}, true},
		{"varies on everything", func(e *cachemw.Entry) { e.Header = []cachemw.HeaderField{{Name: "Vary", Value: "*"}} }, false},
		{"not found", func(e *cachemw.Entry) { e.Status = 404 }, false},
		{"error", func(e *cachemw.Entry) { e.Status = 500 }, false},
		{"no body", func(e *cachemw.Entry) { e.Body = nil }, false},
		{"no lifetime", func(e *cachemw.Entry) { e.TTL = 0 }, false},
		{"kept to be validated", func(e *cachemw.Entry) { e.TTL, e.Keep = 0, time.Second }, true},
		{"negative lifetime", func(e *cachemw.Entry) { e.TTL, e.Keep = -1, time.Second }, false},
		{"no time", func(e *cachemw.Entry) { e.Stored = time.Time{} }, false},
		{"no scope", func(e *cachemw.Entry) { e.Scope = "" }, false},
		{"unknown scope", func(e *cachemw.Entry) { e.Scope = "shared" }, false},
		{"event stream", func(e *cachemw.Entry) { e.ContentType = "Text/Event-Stream; charset=utf-8" }, false},
		{"cookie", func(e *cachemw.Entry) { e.Header = []cachemw.HeaderField{{Name: "set-cookie", Value: "a=b"}} }, false},
	} {
		e := good()
		c.change(&e)
		if got := cachemw.Storable(e); got != c.want {
			t.Errorf("%s: Storable = %v, want %v", c.name, got, c.want)
		}
	}
}
