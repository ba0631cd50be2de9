package mcp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// checkLayout takes the result of a message, and expects of its layout what FilterList makes of a message with that result.
func checkLayout(t *testing.T, message []byte, keep func(list, id string) bool) {
	t.Helper()
	r, err := mcp.ParseReply(message)
	if err != nil || r.Result == nil || r.Result[0] != '{' || bytes.Contains(r.Result, []byte("ttl")) || bytes.Contains(r.Result, []byte(`\u`)) {
		return
	}
	want, counts, err := mcp.FilterList(nil, mcp.AppendResult(nil, []byte("1"), r.Result), keep)
	l, errLayout := mcp.ReadLayout(r.Result)
	if (err == nil) != (errLayout == nil) {
		t.Fatalf("%q: FilterList says %v, ReadLayout %v", r.Result, err, errLayout)
	}
	if err != nil {
		return
	}
	got, n := l.Append(mcp.AppendResultHead(nil, []byte("1")), r.Result, 0, keep)
	if diff := cmp.Diff(string(want), string(got)+"}"); diff != "" {
		t.Errorf("%q (-FilterList +Layout):\n%s", r.Result, diff)
	}
	if diff := cmp.Diff(counts, n); diff != "" {
		t.Errorf("%q: counts (-FilterList +Layout):\n%s", r.Result, diff)
	}
	if all, n := l.Append(nil, r.Result, time.Hour, nil); !bytes.Equal(all, r.Result) || n != (mcp.Filtered{}) {
		t.Errorf("%q became %q, %v although nothing was to be filtered", r.Result, all, n)
	}
}

func TestLayoutReducesTheLifetime(t *testing.T) {
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
		{`{"ttlMs":18446744073709551616}`, 0, `{"ttlMs":31536000000}`},
		{` {"a":"\"ttlMs\":1","_meta":{"ttlMs":1},"ttlMs":2000}`, time.Second, ` {"a":"\"ttlMs\":1","_meta":{"ttlMs":1},"ttlMs":1000}`},
		{`{"ttl\u004ds":2000}`, time.Second, `{"ttl\u004ds":1000}`},
		{`{"tools":[]}`, time.Second, `{"tools":[]}`},
		{`{"ttlMs":1e9}`, time.Second, `{"ttlMs":1e9}`},
		{`{"ttlMs":-5}`, time.Second, `{"ttlMs":-5}`},
		{`{"ttlMs":"5"}`, time.Second, `{"ttlMs":"5"}`},
	} {
		l, err := mcp.ReadLayout([]byte(c.result))
		if err != nil {
			t.Fatalf("%s: %v", c.result, err)
		}
		got, _ := l.Append([]byte("before "), []byte(c.result), c.age, nil)
		if diff := cmp.Diff("before "+c.want, string(got)); diff != "" {
			t.Errorf("%s by %v: %s", c.result, c.age, diff)
		}
	}
}

func TestLayoutFiltersAndReducesAtOnce(t *testing.T) {
	const result = `{"cacheScope":"public","tools":[{"name":"no"},{"name":"a"}],"ttlMs":5000,"prompts":[{"name":"b"},{"name":"no"}]}`
	l, err := mcp.ReadLayout([]byte(result))
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	got, n := l.Append(nil, []byte(result), time.Second, func(list, id string) bool {
		asked += list + " " + id + ";"
		return id != "no"
	})
	const want = `{"cacheScope":"private","tools":[{"name":"a"}],"ttlMs":4000,"prompts":[{"name":"b"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if n != (mcp.Filtered{Items: 4, Kept: 2}) {
		t.Errorf("counts %+v", n)
	}
	if want := "tools no;tools a;prompts b;prompts no;"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestReadLayoutRefuses(t *testing.T) {
	for _, result := range []string{
		``, `[]`, `{"ttlMs":1,"ttlMs":2}`, `{"ttlMs":1,"ttlms":2}`, `{"tools":{}}`, `{"tools":[],"t\u006fols":[]}`, `{"ttlMs":1} x`, `{"ttlMs":1`,
	} {
		if l, err := mcp.ReadLayout([]byte(result)); err == nil {
			t.Errorf("%s is read as %+v", result, l)
		}
	}
}

func TestLayoutKnowsWhatMayBeMirrored(t *testing.T) {
	for result, want := range map[string]bool{
		`{"tools":[{"name":"a"}]}`: false,
		`{"tools":[{"name":"a","inputSchema":{"properties":{"x":{"x-mcp-header":"X"}}}}]}`: true,
	} {
		l, err := mcp.ReadLayout([]byte(result))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.MayMirror(); got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}
