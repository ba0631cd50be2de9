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
func jsonTerm(raw []byte) (*ast.Term, error) { return parsed(raw, valueTerm) }

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
func (s *selection) term(raw []byte) (*ast.Term, error) {
	if s == nil || raw == nil {
		return nil, nil
	}
	return parsed(raw, func(v *fastjson.Value) (*ast.Term, error) { return s.root.term(v) })
}

// term converts what t selects of v; nil when that is nothing.
func (t *tree) term(v *fastjson.Value) (*ast.Term, error) {
	if t.whole {
		return valueTerm(v)
	}
	if v.Type() != fastjson.TypeObject {
		return nil, nil
	}
	obj := ast.NewObjectWithCapacity(len(t.names))
	var failed error
	v.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		i := slices.Index(t.names, string(key))
		if i < 0 {
			return
		}
		value, err := t.below[i].term(v)
		if err != nil {
			failed = err
			return
		}
		if value != nil {
			obj.Insert(ast.StringTerm(t.names[i]), value)
		}
	})
	return ast.NewTerm(obj), failed
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
func valueTerm(v *fastjson.Value) (*ast.Term, error) {
	switch v.Type() {
	case fastjson.TypeObject:
		return objectTerm(v.GetObject())
	case fastjson.TypeArray:
		return arrayTerm(v.GetArray())
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

// objectTerm inserts one member after the other, so that of two members with one name the last counts, as it does for most
// servers. Such arguments do not get here (they are refused when the call is parsed); an object that held both would lie.
func objectTerm(o *fastjson.Object) (*ast.Term, error) {
	obj := ast.NewObjectWithCapacity(o.Len())
	var failed error
	o.Visit(func(key []byte, v *fastjson.Value) {
		value, err := valueTerm(v)
		if err != nil {
			failed = err
			return
		}
		obj.Insert(ast.InternedTerm(string(key)), value)
	})
	return ast.NewTerm(obj), failed
}

func arrayTerm(items []*fastjson.Value) (*ast.Term, error) {
	terms := make([]*ast.Term, len(items))
	for i, v := range items {
		var err error
		if terms[i], err = valueTerm(v); err != nil {
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
