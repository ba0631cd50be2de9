package mcp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"sark/internal/mcp"
)

// checkValue holds the reading of one value against encoding/json in both directions: what is sound is accepted, and
// nothing else is.
func checkValue(t *testing.T, value []byte) {
	t.Helper()
	body := inArguments(string(value))
	err := mcp.Parse(new(mcp.Call), body, mcp.Header{})
	if !json.Valid(value) { // it may still make a valid message of another shape
		checkParse(t, body, mcp.Header{})
		return
	}
	_, twice := duplicateKey(body)
	want := utf8.Valid(value) && !twice && !loneSurrogate(value) && depth(body) <= mcp.MaxDepth
	if got := err == nil; got != want {
		t.Errorf("%.2000q: accepted %v, want %v (%v)", value, got, want, err)
	}
}

var escape = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})|.)`)

// loneSurrogate reports whether an escape in a JSON text stands for half of a surrogate pair.
func loneSurrogate(doc []byte) bool {
	high := -1 // where a high surrogate ended that waits for its low one
	for _, at := range escape.FindAllSubmatchIndex(doc, -1) {
		code := uint64(0)
		if at[2] >= 0 {
			code, _ = strconv.ParseUint(string(doc[at[2]:at[3]]), 16, 32)
		}
		low := code >= 0xdc00 && code <= 0xdfff
		if low != (high == at[0]) || high >= 0 && !low {
			return true
		}
		high = -1
		if code >= 0xd800 && code <= 0xdbff {
			high = at[1]
		}
	}
	return high >= 0
}

// depth is how deep objects and arrays nest in a JSON text.
func depth(doc []byte) (deepest int) {
	open := 0
	for d := json.NewDecoder(bytes.NewReader(doc)); ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			open++
			deepest = max(deepest, open)
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
}

// FuzzValue is checkValue with a fill before the value, so that it is met at every place of a word, and with one behind it,
// so that it is met far from the end of the body as well as near.
func FuzzValue(f *testing.F) {
	for _, value := range []string{
		`"\ud83d\ude00"`, `"\ud83d"`, `{"a":1,"\u0061":2}`, `{"aaaaaaaa":1,"aaaaaaaaa":{}}`, `-0.5e+7`, `[[],{"":[]}]`, `"請確認😀é"`, "\"\xed\xa0\x80\"",
		`{"k":{"k":[{"k":1},{"k":2}]},"l":true}`, `[1,2.5,null,false,"x"]`,
	} {
		f.Add([]byte(value), uint8(3), uint8(40))
		f.Add([]byte(value), uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, value []byte, before, behind uint8) {
		checkValue(t, value)
		checkValue(t, fmt.Appendf(nil, `[%q,%s,%q]`, strings.Repeat("a", int(before)), value, strings.Repeat("b", int(behind))))
		checkValue(t, fmt.Appendf(nil, `{"%s":1,%q:%s}`, strings.Repeat("a", int(before)), strings.Repeat("b", int(behind)), value))
	})
}

// Strings and keys are read in words, with a way of their own where few bytes are left: every piece must be judged the same
// at every place in a word, however much is behind it.
func TestPiecesAtEveryPlace(t *testing.T) {
	pieces := []string{
		``, `a`, `\n`, `\"`, `\\`, `\u0061`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\ud83d\u0061`, `\ud83d\n`, `\u00`, `\u00g0`, `\x`, `\`, "\x1f", "\x7f", "\x80",
		"é", "請", "😀", "請é😀請", "\xc3", "\xe8\xab", "\xf0\x9f\x98", "\xc1\xbf", "\xc2\x80", "\xe0\x9f\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xed\xa0\x80", "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "é\xff", "\xe8\xab\xc3", "\xc3\xc3\xa9",
	}
	for _, piece := range pieces {
		for before := range 20 {
			for behind := range 20 {
				text := strings.Repeat("a", before) + piece + strings.Repeat("b", behind)
				checkValue(t, []byte(`"`+text+`"`))
				checkValue(t, []byte(`{"`+text+`":0}`))
				checkValue(t, []byte(`{"`+text+`":{"`+text+`":0},"c":"`+strings.Repeat("d", 30)+`"}`))
			}
		}
	}
}

// A key is found again in whatever way it is written, whatever its length, and only that key.
func TestKeysOfEveryLength(t *testing.T) {
	letter := func(i int) string { return string(rune('a' + i%26)) }
	escaped := func(i int) string { return fmt.Sprintf(`\u%04x`, 'a'+i%26) }
	written := func(n int, how func(int) string, with int) string { // one letter in its other form, none for -1
		var b strings.Builder
		for i := range n {
			if i == with {
				b.WriteString(how(i))
				continue
			}
			b.WriteString(letter(i))
		}
		return b.String()
	}
	other := func(int) string { return "-" }
	for n := range 40 {
		plain := written(n, other, -1)
		for at := -1; at < n; at++ {
			for _, value := range []string{`0`, `"` + strings.Repeat("v", 30) + `"`} {
				again := `{"` + plain + `":` + value + `,"` + written(n, escaped, at) + `":` + value + `}`
				if reason := refusal(t, inArguments(again), mcp.Header{}).Reason; reason != "duplicate key" {
					t.Errorf("%s: %s", again, reason)
				}
				if at >= 0 {
					checkValue(t, []byte(`{"`+plain+`":`+value+`,"`+written(n, other, at)+`":`+value+`}`))
				}
			}
		}
		checkValue(t, []byte(`{"`+plain+`":0,"`+plain+`\u0000":0,"`+plain+`\u0000\u0000":0}`))
	}
}

// Keys that share their first and last word and their length, as whoever wants to slow us down would choose them.
func TestKeysThatLookAlike(t *testing.T) {
	for _, n := range []int{2, 31, 32, 33, 34, 63, 64, 65, 200, 5000} {
		var object strings.Builder
		for i := range n {
			fmt.Fprintf(&object, `,"abcdefgh%08dabcdefgh":{"k%d":0}`, i, i)
		}
		checkValue(t, []byte(`{`+object.String()[1:]+`}`))
		for _, again := range []int{0, n / 2, n - 1} {
			checkValue(t, fmt.Appendf([]byte(`{`+object.String()[1:]), `,"abcdefgh%08dabcdefgh":0}`, again))
		}
	}
}

// Objects with many keys lie in and behind each other, so that the table of one is used for the next.
func TestManyKeysInManyObjects(t *testing.T) {
	wide := func(n int, value string) string { return manyKeys(n) + `,"x":` + value + `}` }
	double := manyKeys(50) + `,"key49":0}`
	for _, value := range []string{
		`[` + wide(5000, `0`) + `,` + wide(40, `0`) + `,` + wide(40, `0`) + `]`,
		wide(40, wide(40, wide(300, `0`))),
		wide(40, `[`+wide(100, `0`)+`,`+wide(33, `[]`)+`]`),
		`[` + wide(5000, `0`) + `,` + double + `]`,
		wide(40, wide(40, double)),
		`[` + wide(40, double) + `]`,
	} {
		checkValue(t, []byte(value))
	}
}

func TestNumbersBeforeEveryByte(t *testing.T) {
	for _, number := range []string{`0`, `-0`, `7`, `12345678`, `123456789`, `00`, `01`, `-`, `-1`, `1.`, `1.5`, `0.50`, `1e`, `1e5`, `1E-05`, `1.5e+`, `1e5.1`, `1-`, `0x1`, `1+1`} {
		for c := range 256 {
			checkValue(t, []byte(`[`+number+string([]byte{byte(c)})+`]`))
			checkValue(t, []byte(`[`+number+string([]byte{byte(c)})+`0]`))
		}
		checkValue(t, []byte(number))
	}
}

// A batch that breaks off in a message is refused, wherever it does.
func TestSplitOfCutBatches(t *testing.T) {
	batch := []byte(`[{"jsonrpc":"2.0","id":1,"method":"a"}, {"jsonrpc":"2.0","id":[1,"x"]}]`)
	for n := range batch {
		cut := append(make([]byte, 0, n), batch[:n]...)
		if messages, err := mcp.Split(cut, 10); err == nil {
			t.Errorf("%q: %q", cut, messages)
		}
	}
	if messages, err := mcp.Split(batch, 10); err != nil || len(messages) != 2 {
		t.Errorf("%q, %v", messages, err)
	}
}
