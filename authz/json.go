package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/valyala/fastjson"
)

// parsers are shared between decisions: a parser keeps the memory of the largest document that it saw.
var parsers fastjson.ParserPool

// maxPooled bounds what a pooled parser may hold on to, in bytes of JSON.
const maxPooled = 64 << 10

// jsonTerm converts valid JSON. The parser takes some things for JSON that are not, so whoever calls has validated raw:
// arguments were when the call was parsed, everything else was written by encoding/json.
func jsonTerm(raw []byte) (*ast.Term, error) {
	return parsed(raw, func(v *fastjson.Value) (*ast.Term, error) { return valueTerm(v, nil) })
}

// parsed converts raw, which must not be kept: neither it nor the parsed value.
func parsed(raw []byte, convert func(*fastjson.Value) (*ast.Term, error)) (*ast.Term, error) {
	parser := new(fastjson.Parser)
	if len(raw) <= maxPooled {
		parser = parsers.Get()
		defer parsers.Put(parser)
	}
	v, err := parser.ParseBytes(raw)
	if err != nil {
		return nil, err
	}
	return convert(v)
}

// term converts those parts of a JSON object that are selected; nil when there are none. Nil raw is absent.
func (s *selection) term(raw []byte, names *texts) (*ast.Term, error) {
	if s == nil || raw == nil {
		return nil, nil
	}
	return parsed(raw, func(v *fastjson.Value) (*ast.Term, error) { return s.root.term(v, names) })
}

// term converts what t selects of v; nil when that is nothing. Of two members with one name the last counts; see objectTerm.
func (t *tree) term(v *fastjson.Value, names *texts) (*ast.Term, error) {
	if t.whole {
		return valueTerm(v, names)
	}
	if v.Type() != fastjson.TypeObject {
		return nil, nil
	}
	pairs := make([]pair, len(t.names))
	var failed error
	v.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		i := slices.Index(t.names, string(key))
		if i < 0 {
			return
		}
		value, err := t.below[i].term(v, names)
		if err != nil {
			failed = err
		}
		pairs[i] = pair{t.keys[i], value}
	})
	if failed != nil {
		return nil, failed
	}
	return object(present(pairs)...), nil
}

// plainJSON writes what encoding/json can write, and nil as an empty object. Claims and contexts become terms over JSON so
// that the bounds of numbers hold for them as well, which also come from outside.
func plainJSON(plain map[string]any) ([]byte, error) {
	if len(plain) == 0 {
		return []byte("{}"), nil
	}
	return json.Marshal(plain)
}

// valueTerm copies a parsed value: nothing of the result refers to the parser or to the bytes it read.
func valueTerm(v *fastjson.Value, names *texts) (*ast.Term, error) {
	switch v.Type() {
	case fastjson.TypeObject:
		return objectTerm(v.GetObject(), names)
	case fastjson.TypeArray:
		return arrayTerm(v.GetArray(), names)
	case fastjson.TypeString:
		return ast.InternedTerm(string(v.GetStringBytes())), nil
	case fastjson.TypeNumber:
		return numberTerm(v)
	case fastjson.TypeTrue:
		return ast.InternedTerm(true), nil
	case fastjson.TypeFalse:
		return ast.InternedTerm(false), nil
	}
	return ast.NullTerm(), nil
}

// fewMembers is how many members of an object are looked through for one of the same name. With more, the object finds it.
const fewMembers = 8

// objectTerm keeps the last of two members with one name, as it is for most servers. Such arguments do not get here (they
// are refused when the call is parsed); an object that held both would lie.
func objectTerm(o *fastjson.Object, names *texts) (*ast.Term, error) {
	few := o.Len() <= fewMembers
	var room [fewMembers]pair
	var obj ast.Object
	if !few {
		obj = ast.NewObjectWithCapacity(o.Len())
	}
	pairs := room[:0]
	var failed error
	o.Visit(func(key []byte, v *fastjson.Value) {
		value, err := valueTerm(v, names)
		switch name := names.bytes(key); {
		case err != nil:
			failed = err
		case few:
			pairs = with(pairs, name, value)
		default:
			obj.Insert(name, value)
		}
	})
	if few {
		obj = ast.NewObject(pairs...)
	}
	return ast.NewTerm(obj), failed
}

// with adds a member, or replaces the one of the same name.
func with(pairs []pair, name, value *ast.Term) []pair {
	for i := range pairs {
		if pairs[i][0].Equal(name) {
			pairs[i][1] = value
			return pairs
		}
	}
	return append(pairs, pair{name, value})
}

func arrayTerm(items []*fastjson.Value, names *texts) (*ast.Term, error) {
	terms := make([]*ast.Term, len(items))
	for i, v := range items {
		var err error
		if terms[i], err = valueTerm(v, names); err != nil {
			return nil, err
		}
	}
	return ast.ArrayTerm(terms...), nil
}

// Bounds of a number, far outside what any float can hold. The interpreter computes exactly: without them a caller could ask
// for a number with a billion digits.
const (
	maxExponent = 400 // decimal
	maxDigits   = 800 // characters as written
)

var errNumber = errors.New("number out of range")

// numberTerm keeps the digits as they were written. The parser takes NaN and Inf for numbers too; JSON does not.
func numberTerm(v *fastjson.Value) (*ast.Term, error) {
	raw := v.MarshalTo(make([]byte, 0, 24))
	if n, ok := small(raw); ok {
		return ast.InternedTerm(n), nil
	}
	if len(raw) > maxDigits || !json.Valid(raw) {
		return nil, errNumber
	}
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(string(raw[i+1:]))
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return nil, errNumber
		}
	}
	return ast.NumberTerm(json.Number(raw)), nil
}

// small returns a whole number of up to three digits, written as such are written.
func small(raw []byte) (n int, ok bool) {
	if len(raw) == 0 || len(raw) > 3 || raw[0] == '0' && len(raw) > 1 {
		return 0, false
	}
	for _, b := range raw {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = 10*n + int(b-'0')
	}
	return n, true
}
