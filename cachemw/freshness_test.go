package cachemw_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
	"sark/internal/mcp"
)

// freshness is that of a result within its reply. What cannot be read is not stored.
func freshness(result []byte, otherwise cachemw.Freshness) (cachemw.Freshness, bool) {
	r, err := mcp.ParseReply(mcp.AppendResult(nil, []byte("1"), result))
	if err != nil {
		return cachemw.Freshness{}, false
	}
	return cachemw.ResultFreshness(&r, otherwise)
}

func TestResultFreshness(t *testing.T) {
	second := func(s cachemw.Scope) cachemw.Freshness { return cachemw.Freshness{TTL: time.Second, Scope: s} }
	for _, c := range []struct {
		name, result string
		want         cachemw.Freshness
		ok           bool
	}{
		{"public", `{"resultType":"complete","ttlMs":1000,"cacheScope":"public","tools":[]}`, second(cachemw.Public), true},
		{"private", `{"cacheScope":"private","ttlMs":1000}`, second(cachemw.Private), true},
		{"spaced", " {\n\"ttlMs\" : 1000 , \"cacheScope\":\"public\" }\r\n", second(cachemw.Public), true},
		{"escaped key", `{"ttl\u004ds":1000,"cacheScope":"public"}`, second(cachemw.Public), true},
		{"leading zeros do not occur in JSON", `{"ttlMs":01000,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"an age of the universe", `{"ttlMs":99999999999999999999999,"cacheScope":"public"}`, cachemw.Freshness{TTL: 365 * 24 * time.Hour, Scope: cachemw.Public}, true},
		{"more than a year", `{"ttlMs":31536000001,"cacheScope":"public"}`, cachemw.Freshness{TTL: 365 * 24 * time.Hour, Scope: cachemw.Public}, true},
		{"no scope", `{"ttlMs":1000}`, cachemw.Freshness{}, false},
		{"unknown scope", `{"ttlMs":1000,"cacheScope":"shared"}`, cachemw.Freshness{}, false},
		{"scope in another case", `{"ttlMs":1000,"cacheScope":"Public"}`, cachemw.Freshness{}, false},
		{"scope null", `{"ttlMs":1000,"cacheScope":null}`, cachemw.Freshness{}, false},
		{"no ttl", `{"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl zero", `{"ttlMs":0,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl negative", `{"ttlMs":-1,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl a fraction", `{"ttlMs":1000.5,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl with an exponent", `{"ttlMs":1e3,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl a string", `{"ttlMs":"1000","cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"input required", `{"resultType":"input_required","ttlMs":1000,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"unknown result type", `{"resultType":"task","ttlMs":1000,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"ttl twice", `{"ttlMs":1000,"ttlMs":2000,"cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"scope twice", `{"ttlMs":1000,"cacheScope":"private","cacheScope":"public"}`, cachemw.Freshness{}, false},
		{"type twice", `{"ttlMs":1000,"cacheScope":"public","resultType":"input_required","resultType":"complete"}`, cachemw.Freshness{}, false},
		{"fields elsewhere", `{"_meta":{"ttlMs":1000,"cacheScope":"public"}}`, cachemw.Freshness{}, false},
		{"fields in another case", `{"TTLMS":1000,"cachescope":"public"}`, cachemw.Freshness{}, false},
		{"array", `[{"ttlMs":1000,"cacheScope":"public"}]`, cachemw.Freshness{}, false},
		{"cut short", `{"ttlMs":1000,"cacheScope":"public"`, cachemw.Freshness{}, false},
		{"trailing bytes", `{"ttlMs":1000,"cacheScope":"public"}x`, cachemw.Freshness{}, false},
		{"bad literal", `{"ttlMs":1000,"cacheScope":"public","x":nul}`, cachemw.Freshness{}, false},
		{"deep", `{"ttlMs":1000,"cacheScope":"public","x":` + strings.Repeat("[", 1<<20), cachemw.Freshness{}, false},
		{"empty", ``, cachemw.Freshness{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := freshness([]byte(c.result), cachemw.Freshness{})
			if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
				t.Errorf("ok %v, want %v; %s", ok, c.ok, diff)
			}
		})
	}
}

// TestResultFreshnessOfAnOperator fills in what a server does not say, and changes nothing of what it says.
func TestResultFreshnessOfAnOperator(t *testing.T) {
	minute := cachemw.Freshness{TTL: time.Minute, Scope: cachemw.Public}
	for result, want := range map[string]cachemw.Freshness{
		`{"tools":[]}`:                              minute,
		`{"ttlMs":1000}`:                            {TTL: time.Second, Scope: cachemw.Public},
		`{"cacheScope":"private"}`:                  {TTL: time.Minute, Scope: cachemw.Private},
		`{"ttlMs":0}`:                               {},
		`{"cacheScope":"shared"}`:                   {},
		`{"resultType":"input_required"}`:           {},
		`{"ttlMs":1000,"cacheScope":"private"}`:     {TTL: time.Second, Scope: cachemw.Private},
		`{"ttlMs":"1000","cacheScope":"public"}`:    {},
		`{"tools":[],"ttlMs":1000,"ttlMs":1000}`:    {},
		`{"resultType":"complete","resources":[1]}`: minute,
	} {
		got, _ := freshness([]byte(result), minute)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", result, diff)
		}
	}
}

func FuzzResultFreshness(f *testing.F) {
	f.Add([]byte(`{"resultType":"complete","ttlMs":1000,"cacheScope":"public","tools":[]}`), int64(500))
	f.Add([]byte(`{"ttlMs":1000,"ttlMs":2000,"cacheScope":"public"}`), int64(0))
	f.Add([]byte(`{"ttl\u004ds":1000,"cacheScope":"private","_meta":{"ttlMs":1}}`), int64(-1))
	f.Add([]byte(`{"ttlMs":1e3`), int64(1))
	f.Fuzz(func(t *testing.T, result []byte, age int64) {
		before, ok := freshness(result, cachemw.Freshness{})
		if ok && !json.Valid(bytes.ToValidUTF8(result, []byte("?"))) && !strings.Contains(string(result), `\`) {
			t.Fatalf("%q is not JSON", result)
		}
		if ok && (before.TTL <= 0 || before.Scope != cachemw.Private && before.Scope != cachemw.Public) {
			t.Fatalf("freshness %+v of %q", before, result)
		}
		if l, err := mcp.ReadLayout(result); err == nil {
			reduced, _ := l.Append(nil, result, time.Duration(age), nil)
			after, stillFresh := freshness(reduced, cachemw.Freshness{})
			if stillFresh && (!ok || after.TTL > before.TTL || after.Scope != before.Scope) {
				t.Fatalf("%q became fresher: %+v", result, after)
			}
		}
		if !ok && before.TTL != 0 {
			t.Fatalf("refused, but with %+v", before)
		}
	})
}
