package api

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"sark/store"
)

// query reads the parameters of a list. The first thing that is wrong is remembered in err; later readings then return
// zero values, so that a handler reads everything and asks once.
type query struct {
	args *fasthttp.Args
	err  error
}

// readQuery refuses parameters that are unknown, repeated or not text.
func readQuery(r *request, known ...string) *query {
	q := &query{args: r.in.URI().QueryArgs()}
	var seen []string
	for key, value := range q.args.All() {
		name := string(key)
		switch {
		case !slices.Contains(known, name):
			q.fail(printable(name), "unknown parameter; known are "+strings.Join(known, ", "))
		case slices.Contains(seen, name):
			q.fail(name, "given twice")
		case !utf8.Valid(value) || strings.ContainsFunc(string(value), unicode.IsControl):
			q.fail(name, "should be text without control characters")
		}
		seen = append(seen, name)
	}
	return q
}

// printable makes a name that a client sent fit for a message.
func printable(name string) string {
	const limit = 64
	if len(name) > limit {
		name = name[:limit]
	}
	return strings.Trim(strconv.QuoteToASCII(name), `"`)
}

func (q *query) fail(name, why string) {
	if q.err == nil {
		q.err = invalidParameter(name, why)
	}
}

// text reads a parameter of at most maxName characters, "" when absent. A parameter that is there should not be empty:
// an empty filter would select everything.
func (q *query) text(name string) string {
	if q.err != nil || !q.args.Has(name) {
		return ""
	}
	s := string(q.args.Peek(name))
	if s == "" || utf8.RuneCountInString(s) > maxName {
		q.fail(name, "should have 1 to "+itoa(maxName)+" characters")
		return ""
	}
	return s
}

// cursor reads a cursor, whose form only the store knows. An empty one is the first page, so that a client can write its
// loop without a special case.
func (q *query) cursor() string {
	const limit = 1024
	s := string(q.args.Peek("cursor"))
	if len(s) > limit {
		q.fail("cursor", "not a cursor of this list")
		return ""
	}
	return s
}

// word reads one of the given words, "" when absent.
func (q *query) word(name string, words ...string) string {
	s := q.text(name)
	if s != "" && !slices.Contains(words, s) {
		q.fail(name, "should be one of "+strings.Join(words, ", "))
		return ""
	}
	return s
}

// words reads a comma-separated list of the given words; of any words when none are given.
func (q *query) words(name string, words ...string) []string {
	s := q.text(name)
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for _, w := range list {
		switch {
		case w == "":
			q.fail(name, "should have no empty entries")
		case len(words) > 0 && !slices.Contains(words, w):
			q.fail(name, "entries should be one of "+strings.Join(words, ", "))
		}
	}
	return list
}

// limit reads the size of a page, from 1 to store.MaxLimit.
func (q *query) limit() int {
	s := q.text("limit")
	if s == "" {
		return store.DefaultLimit
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > store.MaxLimit {
		q.fail("limit", "should be a whole number from 1 to "+itoa(store.MaxLimit))
	}
	return n
}

// flag reads true or false, false when absent.
func (q *query) flag(name string) bool { return q.word(name, "true", "false") == "true" }
