package mcp

import "fmt"

// lists names the item arrays of list results and the member that identifies an item of each.
var lists = map[string]string{
	"tools":             "name",
	"prompts":           "name",
	"resources":         "uri",
	"resourceTemplates": "uriTemplate",
	"tasks":             "taskId",
}

// resultKeys are the keys of a list result that a reader which ignores case must not find in another spelling.
var resultKeys = []string{"tools", "prompts", "resources", "resourceTemplates", "tasks", "nextCursor", "cacheScope", "ttlMs", "resultType"}

// Filtered counts what FilterList did.
type Filtered struct {
	// Items is how many items the list held, Kept how many remain.
	Items, Kept int
}

// FilterList removes from a JSON-RPC reply the items that keep refuses. list is "tools", "prompts", "resources",
// "resourceTemplates" or "tasks"; id is the item's name, uri or task id. An item that cannot be identified is removed: one that is no object,
// whose identifying member is missing or no string, or that has the member a second time in another case.
//
// All other bytes stay as they are: order, unknown members, numbers, white space, nextCursor. Only a cacheScope of
// "public" becomes "private", since what one caller may see is not for others (MCP 2026-07-28, "Caching"), and a list
// that is null becomes empty. A reply without a list is returned unchanged. out aliases message when nothing changed,
// else dst. JSON that two readers could understand differently is an error.
func FilterList(dst, message []byte, keep func(list, id string) bool) (out []byte, n Filtered, err error) {
	s := acquireScanner(message)
	defer releaseScanner(s)
	if s.peek() != '{' {
		return nil, n, fmt.Errorf("read list: %w", errNotObject)
	}
	f := listFilter{keep: keep}
	f.message(s)
	if err = s.verdict(); err != nil {
		return nil, n, fmt.Errorf("read list: %w", err)
	}
	if !f.listed || len(f.edits) == 0 {
		return message, f.n, nil
	}
	return f.apply(dst, message), f.n, nil
}

// listFilter is one pass over a reply: what to change, and what was counted.
type listFilter struct {
	edits
	keep   func(list, id string) bool
	n      Filtered
	listed bool
}

// message reads a message.
func (f *listFilter) message(s *scanner) {
	m := members{s: s, depth: 2}
	for m.next() {
		if string(m.key) == "result" {
			f.result(s, m.depth)
			continue
		}
		s.fold(m.key, envelopeKeys)
	}
}

// result reads the result of a message.
func (f *listFilter) result(s *scanner, depth int) {
	m := members{s: s, depth: depth + 1}
	for m.next() {
		idKey, isList := lists[string(m.key)]
		switch {
		case isList:
			f.list(&m, string(m.key), idKey)
		case string(m.key) == "cacheScope":
			f.scope(&m)
		default:
			s.fold(m.key, resultKeys)
		}
	}
}

// scope makes a public result private.
func (f *listFilter) scope(m *members) {
	if raw := m.raw(); string(text(raw)) == "public" {
		f.replace(m.at, m.s.i, `"private"`)
	}
}

// list reads the value of a list key: an array, or null.
func (f *listFilter) list(m *members, list, idKey string) {
	f.listed = true
	if m.s.peek() == '[' {
		n := f.items(m.s, idKey, m.depth, func(id string, _ []byte) bool { return f.keep(list, id) })
		f.n.Items += n.Items
		f.n.Kept += n.Kept
		return
	}
	if string(m.raw()) != "null" {
		m.s.i = m.s.fail(errNotList)
		return
	}
	f.replace(m.at, m.s.i, "[]")
}
