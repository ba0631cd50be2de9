package authz_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"sark/authz"
)

// slow policies would run for minutes.
var slow = map[string]string{
	"loop":          "package sark\ndecision := {\"allow\": true} if { some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); x + y == -1 }",
	"range":         "package sark\ndecision := {\"allow\": count(numbers.range(1, 1000000000)) > 0}",
	"comprehension": "package sark\ndecision := {\"allow\": count({[x, y] | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000)}) > 0}",
	"every":         "package sark\ndecision := {\"allow\": true} if { every x in numbers.range(1, 100000) { count(numbers.range(1, x)) > 0 } }",
}

// TestTimeout: a slow policy is denied in time. That nothing goes on running is checked when the package's tests end.
func TestTimeout(t *testing.T) {
	for name, policy := range slow {
		t.Run(name, func(t *testing.T) {
			e := open(t, authz.Options{
				Bundle: writeFiles(t, map[string]string{"p.rego": policy}), Timeout: 20 * time.Millisecond, WatchInterval: -1,
			})
			start := time.Now()
			d := e.Decide(t.Context(), callTool(admin(), `{}`))
			if d.Allow || d.Reason != authz.ReasonUnavailable || d.Err == nil || d.Tier != "" {
				t.Errorf("decision %+v", d)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v with a timeout of 20ms", took)
			}
		})
	}
}

func TestDepartedCaller(t *testing.T) {
	e := open(t, authz.Options{
		Bundle: writeFiles(t, map[string]string{"p.rego": slow["loop"]}), Timeout: time.Hour, WatchInterval: -1,
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	d := e.Decide(ctx, callTool(admin(), `{}`))
	if d.Allow || d.Reason != authz.ReasonUnavailable || !errors.Is(d.Err, context.Canceled) {
		t.Errorf("decision %+v", d)
	}
}

// TestTimeoutOfNetworkCalls: a policy that waits for a server that never answers is denied in time too.
func TestTimeoutOfNetworkCalls(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	policy := `package sark
decision := {"allow": http.send({"method": "GET", "url": "http://` + silent.Addr().String() + `", "timeout": "1h"}).status_code == 200}`
	e := open(t, authz.Options{
		Bundle: writeFiles(t, map[string]string{"p.rego": policy}), Timeout: 20 * time.Millisecond, WatchInterval: -1,
	})
	if d := e.Decide(t.Context(), callTool(admin(), `{}`)); d.Allow {
		t.Errorf("decision %+v", d)
	}
}
