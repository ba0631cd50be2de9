package authz

// These tests are inside the package because keys have no exported name, and whether a memo stays within its memory cannot
// be seen from outside.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/authn"
	"sark/internal/mcp"
)

// TestFieldsAreInDocument: every field stands where the document has it, and the document has no others, so that nothing
// can be added to it that keys do not know.
func TestFieldsAreInDocument(t *testing.T) {
	in := &Input{
		Principal: &authn.Principal{Roles: []string{"r"}, Claims: map[string]any{"mfa_verified": true}},
		Call:      &mcp.Call{Arguments: []byte(`{}`)}, Context: map[string]any{},
		Server: Server{ID: "s"}, Tool: Tool{Name: "t"}, Resource: Resource{ID: "r"},
	}
	raw, err := Document(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{ // what has no fixed place
		"context": true, "mcp.arguments": true, "policy_config": true, "principal.claims": true, "principal.mfa_verified": true,
		"request.headers": true, "tool.parameters": true,
	}
	for _, place := range fieldPaths() {
		known[strings.Join(place, ".")] = true
	}
	delete(doc, "user")
	for name, value := range doc {
		members, ok := value.(map[string]any)
		if !ok || known[name] {
			members = map[string]any{"": nil}
		}
		for member := range members {
			place := strings.TrimSuffix(name+"."+member, ".")
			if !known[place] {
				t.Errorf("the document has %s, keys do not", place)
			}
			delete(known, place)
		}
	}
	if len(known) > 0 {
		t.Errorf("not in the document: %v", known)
	}
}

// canonical returns the encoding of a JSON value; false when it has none.
func canonical(raw []byte, s *selection) (string, bool) {
	c := canonicalizer{limit: maxPortrait}
	if !c.selected(s, raw) {
		return "", false
	}
	return string(c.out), true
}

// TestCanonicalRefuses: these are no JSON, or their meaning depends on who reads them, or they are beyond the bounds.
func TestCanonicalRefuses(t *testing.T) {
	for _, raw := range []string{
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud83d"`, `"\udc00\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\x"`, `"\u12"`, `"a`, `"a\"`,
		`{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{a:1}`, `[`, `[1`, `[1,`, `[1 2]`, `1 2`, `nul`, `NaN`, `1e401`, `1e-401`, `1e`, `+1`, `.5`, ` `,
		strings.Repeat("9", maxDigits+1), strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
	} {
		if key, ok := canonical([]byte(raw), whole()); ok {
			t.Errorf("%s: encoded as %q", raw, key)
		}
		if key, ok := canonical([]byte(`{"a":`+raw+`}`), (*selection)(nil).with(inputPath{"a"})); ok {
			t.Errorf("%s: encoded as %q where it is selected", raw, key)
		}
	}
	for _, raw := range []string{`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"b":{"c":1},"b":{"c":2}}`, `{"b":1,"b":{"c":1}}`, `{"b":{},"b":2}`} {
		if key, ok := canonical([]byte(raw), (*selection)(nil).with(inputPath{"a"}).with(inputPath{"b", "c"})); ok {
			t.Errorf("%s: encoded as %q where both are selected", raw, key)
		}
	}
}

func whole() *selection { return (*selection)(nil).with(nil) }

// jsonSeeds are documents with the difficulties that JSON has.
var jsonSeeds = []string{
	`{}`, `[]`, `null`, `1`, `"a"`, ` {"a" : [1, 1.0, -0, 1e5, "1"], "b" : {"c" : null}} `, `{"a":true,"a":false}`,
	`{"b":1,"a":2}`, `{"\u0061":"\ud83d\ude00\\\/\"\b\f\n\r\t"}`, `{"a":"\ud83d"}`, `{"a":"\udc00\ud800"}`, `{"":{"":{"":[[[{}]]]}}}`,
	`{"a":1e400,"b":1e401}`, `{"a":NaN}`, `{"a":1,}`, `{"a"1}`, `{"a":"`, `{"a":"\`, `{"a":"\u00`, `[1`, `[1 2]`, `{"a":01}`, `tru`, `{,}`,
	`{"user":{"name":"x","age":1},"amount":5}`, `{"user":5,"user":{"name":"x"}}`, `{"user":[{"name":"x"}]}`, `{"us\u0065r":{"n\u0061me":{}}}`,
}

// FuzzCanonical compares the encoding of JSON with the interpreter's values, which are made by another parser: documents
// that the interpreter could tell apart have different encodings, and equal ones have equal encodings.
func FuzzCanonical(f *testing.F) {
	for _, a := range jsonSeeds {
		for _, b := range jsonSeeds {
			f.Add([]byte(a), []byte(b))
		}
	}
	selected := (*selection)(nil).with(inputPath{"user", "name"}).with(inputPath{"amount"}).with(inputPath{"a"})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for name, s := range map[string]*selection{"whole": whole(), "selected": selected} {
			keyA, okA := canonical(a, s)
			keyB, okB := canonical(b, s)
			if !valid(a) || !valid(b) || !okA || !okB {
				continue // never gets here, or is not remembered
			}
			termA, termB := printed(t, s, a), printed(t, s, b)
			if (keyA == keyB) != (termA == termB) {
				t.Errorf("%s: keys %q and %q of values %s and %s", name, keyA, keyB, termA, termB)
			}
		}
	})
}

// valid reports whether a document may come from a request: it was parsed strictly.
func valid(raw []byte) bool { return json.Valid(raw) && utf8.Valid(raw) }

// printed writes the value that the interpreter gets, member by member; numbers keep their form.
func printed(t *testing.T, s *selection, raw []byte) string {
	t.Helper()
	term, err := s.term(raw, nil)
	if err != nil {
		t.Fatalf("%s has an encoding and no value: %v", raw, err)
	}
	if s.root.whole {
		return term.String()
	}
	var parts []string
	for _, p := range []inputPath{{"user", "name"}, {"amount"}, {"a"}} {
		part := term
		for _, key := range p {
			if part != nil {
				part = part.Get(ast.StringTerm(key))
			}
		}
		parts = append(parts, fmt.Sprint(part))
	}
	return strings.Join(parts, "|")
}

// FuzzSelection: a document that holds only what is selected answers for what is selected as the whole one does.
func FuzzSelection(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := (*selection)(nil).with(inputPath{"user", "name"}).with(inputPath{"amount"}).with(inputPath{"a"})
		full, err := jsonTerm(raw)
		if !valid(raw) || err != nil {
			return
		}
		want := []string{fmt.Sprint(get(full, "user", "name")), fmt.Sprint(get(full, "amount")), fmt.Sprint(get(full, "a"))}
		if got := printed(t, s, raw); got != strings.Join(want, "|") {
			t.Errorf("%s: selected %s, want %s", raw, got, want)
		}
	})
}

func get(t *ast.Term, keys ...string) *ast.Term {
	for _, key := range keys {
		if t != nil {
			t = t.Get(ast.StringTerm(key))
		}
	}
	return t
}

// TestRepeatedArguments: arguments that come again have the encoding that they had when they were read, also when the memory
// that they were in has been used for others meanwhile, and when others have the same slot.
func TestRepeatedArguments(t *testing.T) {
	s := (*selection)(nil).with(inputPath{"user", "name"}).with(inputPath{"amount"}).with(inputPath{"a"})
	r := newRepeated(s)
	r.slots = r.slots[:1:1]
	body, kept := make([]byte, 0, 2*maxRepeated), 0
	for range 3 {
		for _, seed := range append(jsonSeeds, fmt.Sprintf(`{"a":"%s"}`, strings.Repeat("x", maxRepeated))) {
			for range 3 { // of which the second is kept, and the third found
				body = append(body[:0], seed...)
				k := &key{canonicalizer: canonicalizer{limit: maxPortrait}}
				ok := r.append(k, body)
				if want, valid := canonical([]byte(seed), s); ok != valid || ok && string(k.out) != want {
					t.Errorf("%s: encoded as %q (%v), want %q (%v)", seed, k.out, ok, want, valid)
				}
				if e := r.slots[0].kept.Load(); e != nil && e.raw == seed {
					kept++
				}
			}
		}
	}
	if kept == 0 {
		t.Error("nothing was kept")
	}
}

func TestSelectionBounds(t *testing.T) {
	var many *selection
	for i := range maxLeaves {
		many = many.with(inputPath{fmt.Sprint("m", i)})
	}
	if many.root.whole {
		t.Errorf("%d members are taken whole", maxLeaves)
	}
	if many = many.with(inputPath{"one", "more"}); !many.root.whole || many.leaves != 1 {
		t.Errorf("%d members are taken one by one", maxLeaves+1)
	}
	deep := (*selection)(nil).with(make(inputPath, 2*maxNodes))
	if !deep.root.whole {
		t.Error("a path of 128 objects is followed")
	}
}

// TestMemoryIsBounded fills a memo beyond its bound.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemo(want(&reads{}))
	k := &key{}
	d := &Decision{Tier: tierTopdown, Reason: strings.Repeat("r", maxAnswer-8)}
	most := int64(0)
	for i := range 30_000 {
		k.out = fmt.Appendf(bytes.Repeat([]byte("k"), 1000), "%d", i)
		k.hash = uint64(i) * 0x9e3779b97f4a7c15
		m.keep(k, d)
		if found := m.find(k); found == nil && m.used.Load() != 0 {
			t.Fatal("not found at once")
		}
		most = max(most, m.used.Load())
	}
	if most > maxMemory+8192 || most < maxMemory/2 {
		t.Errorf("%d bytes in use, the bound is %d", most, maxMemory)
	}
	m.forget()
	if left := m.used.Load(); left != 0 {
		t.Errorf("%d bytes in use after everything was forgotten", left)
	}
	d.Reason += strings.Repeat("r", 16)
	if m.keep(k, d); m.find(k) != nil {
		t.Error("an answer beyond the bound was kept")
	}
}

// TestFullSet: more keys of one set than it has room for push each other out, and are never mistaken for each other.
func TestFullSet(t *testing.T) {
	m, k := newMemo(want(&reads{})), &key{hash: 7}
	for i := range 3 * memoWays {
		k.out = fmt.Append(nil, i)
		m.keep(k, &Decision{Tier: tierTopdown, Rule: fmt.Sprint(i)})
		for j := range 3 * memoWays {
			k.out = fmt.Append(nil, j)
			if d := m.find(k); d != nil && d.Rule != fmt.Sprint(j) || d == nil && i == j {
				t.Fatalf("key %d of %d found %+v", j, i, d)
			}
		}
	}
}

// TestPortraitsOfManyPrincipals: more principals than there is room for keep their own digests.
func TestPortraitsOfManyPrincipals(t *testing.T) {
	r := newKeyer(want(&reads{paths: []inputPath{{"principal", "id"}}}))
	set, err := Settings{}.prepare()
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for round := range 2 {
		for i := range 40 {
			who := &authn.Principal{ID: fmt.Sprint(i), Fingerprint: [32]byte{1, 0, byte(i)}} // all of one set
			k := r.key(&Input{Principal: who, Call: new(mcp.Call), Time: time.Unix(0, 0)}, set)
			if before, ok := digests[who.ID]; ok && before != string(k.out) || len(k.out) != 32 {
				t.Errorf("round %d, %s: %x after %x", round, who.ID, k.out, before)
			}
			digests[who.ID] = string(k.out)
			k.release()
		}
	}
	distinct := map[string]bool{}
	for _, d := range digests {
		distinct[d] = true
	}
	if len(distinct) != 40 {
		t.Errorf("%d digests of 40 principals", len(distinct))
	}
}
