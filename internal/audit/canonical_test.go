package audit_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sark/internal/audit"
)

func TestAppendCanonical(t *testing.T) {
	for src, want := range map[string]string{
		` { "b" : 1.10 , "a" : 1e3, "A": [ ] } `:     `{"A":[],"a":1000,"b":1.1}`,
		`{}`:                                         `{}`,
		`[1, -0, 9223372036854775807, 1E21]`:         `[1,0,9223372036854775807,1e+21]`,
		`[1e-7, 0.000001, 123456789012345678901234]`: `[1e-7,0.000001,1.2345678901234569e+23]`,
		`"\u0041\/\u001f\n\ud83d\ude00é\u0000"`:      "\"A/\\u001f\\n\U0001F600é\uFFFD\"",
		`{"z":{"y":[true,false,null],"x":""}}`:       `{"z":{"x":"","y":[true,false,null]}}`,
	} {
		got, err := audit.AppendCanonical(nil, []byte(src))
		if err != nil || string(got) != want {
			t.Errorf("%s\n got %s, error %v\nwant %s", src, got, err, want)
		}
	}
}

func TestAppendCanonicalRefuses(t *testing.T) {
	for _, src := range []string{
		``, `{`, `[1,]`, `{"a":1,}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud800"`, `"\ud800\u0041"`, "\"\xff\"", `01`, `1.`,
		`.5`, `1e`, `1e999`, `nul`, `1 2`, "\"a\nb\"", `{1:2}`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
	} {
		if got, err := audit.AppendCanonical([]byte("kept"), []byte(src)); !errors.Is(err, audit.ErrJSON) || string(got) != "kept" {
			t.Errorf("%q: got %q, error %v", src, got, err)
		}
	}
}

func FuzzAppendCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1.10,"a":[1e3,"\u0041"]}`, `"\ud83d\ude00"`, `-0.0e-7`, `[[[{}]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		once, err := audit.AppendCanonical(nil, src)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%q became %q, which is no JSON", src, once)
		}
		twice, err := audit.AppendCanonical(nil, once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("the canonical form of %q is not stable: %q, error %v", once, twice, err)
		}
	})
}

func TestArgumentHash(t *testing.T) {
	for name, key := range map[string][]byte{"short": []byte("k"), "long": bytes.Repeat([]byte("k"), 100)} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(`{"a":1,"b":"x"}`))
		want := hex.EncodeToString(mac.Sum(nil))

		got := string(audit.NewArgumentHasher(key).Append(nil, []byte(`{ "b": "x", "a": 1.0 }`)))

		if got != want {
			t.Errorf("%s key: hash %s, want %s", name, got, want)
		}
	}
	if got := string(audit.NewArgumentHasher([]byte("k")).Append(nil, nil)); got != "" {
		t.Errorf("no arguments have the hash %q", got)
	}
	if string(audit.NewArgumentHasher([]byte("k")).Append(nil, []byte(`{"a":1,"a":2}`))) == string(audit.NewArgumentHasher([]byte("k")).Append(nil, []byte(`{"a":2}`))) {
		t.Error("arguments without a canonical form collide")
	}
}

func TestRedactor(t *testing.T) {
	r := audit.NewRedactor("Internal Note")
	got, err := r.Append(nil, []byte(`{"user":"al","API-Key":{"a":1},"nested":[{"accessToken":"x","n":1}],
		"header":"Bearer abc","jwt":"eyJhbGciOi.eyJzdWIi.c2ln","internal_note":[1,2],"text":"a normal sentence"}`))
	want := `{"API-Key":"[redacted]","header":"[redacted]","internal_note":"[redacted]","jwt":"[redacted]",` +
		`"nested":[{"accessToken":"[redacted]","n":1}],"text":"a normal sentence","user":"al"}`
	if err != nil || string(got) != want {
		t.Errorf("redacted %s, error %v\n    want %s", got, err, want)
	}
}

func TestDetails(t *testing.T) {
	var d audit.Details
	if got := d.Append(nil); len(got) != 0 {
		t.Errorf("empty details are %q", got)
	}
	d.Text("why", "a \"b\"\x00")
	d.Number("filtered", 1)
	d.Number("filtered", 2)
	d.Text("cut", "yes")
	if got, want := string(d.Append(nil)), `{"cut":"yes","filtered":2,"why":"a \"b\"`+"\uFFFD"+`"}`; got != want {
		t.Errorf("details %s, want %s", got, want)
	}
	for i := range 20 {
		d.Number(string(rune('k'+i)), 1)
	}
	got := d.Append(nil)
	canonical, err := audit.AppendCanonical(nil, got)
	if err != nil || !bytes.Equal(got, canonical) || !bytes.Contains(got, []byte(`"dropped":12`)) {
		t.Errorf("details %s, error %v", got, err)
	}
}

func BenchmarkArgumentHash(b *testing.B) {
	h := audit.NewArgumentHasher([]byte("0123456789abcdef0123456789abcdef"))
	args := []byte(`{"order":"A-17","amount":12.50,"note":"please be quick","lines":[{"sku":"x","n":2}]}`)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = h.Append(buf[:0], args)
	}
}
