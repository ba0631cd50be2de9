package cachemw

import (
	"bytes"
	"slices"
)

// usualParameters is how many query parameters are sorted without allocating.
const usualParameters = 16

// appendQuery appends a query string as parts: its parameters in the order of their names. Parameters of one name keep
// their order, which may matter, and spelling counts: "%41" and "A" are two questions.
func appendQuery(dst, query []byte) []byte {
	if len(query) == 0 {
		return appendPart(dst, query)
	}
	var room [usualParameters][]byte
	parameters := room[:0]
	for rest, more := query, true; more; {
		var p []byte
		p, rest, more = bytes.Cut(rest, []byte("&"))
		parameters = append(parameters, p)
	}
	slices.SortStableFunc(parameters, func(a, b []byte) int { return bytes.Compare(parameterName(a), parameterName(b)) })
	dst = appendPart(dst, "&")
	dst = append(dst, byte(len(parameters)>>24), byte(len(parameters)>>16), byte(len(parameters)>>8), byte(len(parameters))) //nolint:gosec // a query is far shorter
	for _, p := range parameters {
		dst = appendPart(dst, p)
	}
	return dst
}

// parameterName returns what stands before the equals sign.
func parameterName(p []byte) []byte {
	name, _, _ := bytes.Cut(p, []byte("="))
	return name
}
