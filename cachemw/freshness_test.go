package cachemw_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/cachemw"
)

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
			got, ok := cachemw.ResultFreshness([]byte(c.result), cachemw.Freshness{})
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
		got, _ := cachemw.ResultFreshness([]byte(result), minute)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", result, diff)
		}
	}
}

func TestReduceTTL(t *testing.T) {
	for _, c := range []struct {
		result string
		age    time.Duration
		want   string
	}{
		{`{"ttlMs":30000,"tools":[]}`, 0, `{"ttlMs":30000,"tools":[]}`},
		{`{"ttlMs":30000,"tools":[]}`, time.Second, `{"ttlMs":29000,"tools":[]}`},
		{`{"tools":[ 1.0 ], "ttlMs" : 30000 }`, 29999 * time.Millisecond, `{"tools":[ 1.0 ], "ttlMs" : 1 }`},
		{`{"ttlMs":30000}`, 1500 * time.Microsecond, `{"ttlMs":29998}`},
		{`{"ttlMs":30000}`, time.Hour, `{"ttlMs":0}`},
		{`{"ttlMs":30000}`, -time.Hour, `{"ttlMs":30000}`},
		{`{"ttlMs":0}`, time.Second, `{"ttlMs":0}`},
		{` {"a":"\"ttlMs\":1","_meta":{"ttlMs":1},"ttlMs":2000}`, time.Second, ` {"a":"\"ttlMs\":1","_meta":{"ttlMs":1},"ttlMs":1000}`},
		{`{"tools":[]}`, time.Second, `{"tools":[]}`},
		{`{"ttlMs":1e9}`, time.Second, `{"ttlMs":1e9}`},
		{`not json`, time.Second, `not json`},
	} {
		got := string(cachemw.ReduceTTL([]byte("before "), []byte(c.result), c.age))
		if diff := cmp.Diff("before "+c.want, got); diff != "" {
			t.Errorf("%s by %v: %s", c.result, c.age, diff)
		}
	}
}

// TestReduceTTLKeepsAllOtherBytes puts the field between random neighbours.
func TestReduceTTLKeepsAllOtherBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 5000 {
		ttl, age := r.Int64N(1e6), time.Duration(r.Int64N(int64(2e6*time.Millisecond)))
		before := `{"x":` + randomJSON(r, 3) + ` , "ttlMs" :`
		after := "\n,\"y\":" + randomJSON(r, 3) + "}"
		result := []byte(before + strconv.FormatInt(ttl, 10) + after)
		original := bytes.Clone(result)
		left := max(0, (time.Duration(ttl)*time.Millisecond - age).Milliseconds())
		want := before + strconv.FormatInt(left, 10) + after
		if diff := cmp.Diff(want, string(cachemw.ReduceTTL(nil, result, age))); diff != "" {
			t.Fatal(diff)
		}
		if !bytes.Equal(original, result) {
			t.Fatal("the result was changed")
		}
	}
}

func FuzzResultFreshness(f *testing.F) {
	f.Add([]byte(`{"resultType":"complete","ttlMs":1000,"cacheScope":"public","tools":[]}`), int64(500))
	f.Add([]byte(`{"ttlMs":1000,"ttlMs":2000,"cacheScope":"public"}`), int64(0))
	f.Add([]byte(`{"ttl\u004ds":1000,"cacheScope":"private","_meta":{"ttlMs":1}}`), int64(-1))
	f.Add([]byte(`{"ttlMs":1e3`), int64(1))
	f.Fuzz(func(t *testing.T, result []byte, age int64) {
		before, ok := cachemw.ResultFreshness(result, cachemw.Freshness{})
		if ok && !json.Valid(bytes.ToValidUTF8(result, []byte("?"))) && !strings.Contains(string(result), `\`) {
			t.Fatalf("%q is not JSON", result)
		}
		if ok && (before.TTL <= 0 || before.Scope != cachemw.Private && before.Scope != cachemw.Public) {
			t.Fatalf("freshness %+v of %q", before, result)
		}
		reduced := cachemw.ReduceTTL(nil, result, time.Duration(age))
		after, stillFresh := cachemw.ResultFreshness(reduced, cachemw.Freshness{})
		if stillFresh && (!ok || after.TTL > before.TTL || after.Scope != before.Scope) {
			t.Fatalf("%q became fresher: %+v", result, after)
		}
		if !ok && before.TTL != 0 {
			t.Fatalf("refused, but with %+v", before)
		}
	})
}

func BenchmarkReduceTTL(b *testing.B) {
	tool := `{"name":"create_issue","description":"Creates an issue","inputSchema":{"type":"object","properties":{"title":{"type":"string"}}}}`
	result := []byte(`{"resultType":"complete","tools":[` + strings.Repeat(tool+",", 20) + tool + `],"ttlMs":30000,"cacheScope":"public"}`)
	dst := make([]byte, 0, 2*len(result))
	b.SetBytes(int64(len(result)))
	b.ReportAllocs()
	for b.Loop() {
		dst = cachemw.ReduceTTL(dst[:0], result, 7*time.Second)
	}
}
