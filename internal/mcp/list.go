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
	if s.next() != '{' {
		return nil, n, fmt.Errorf("read list: %w", errNotObject)
	}
	f := listFilter{keep: keep}
	if err = s.object(1, f.member); err == nil {
		err = s.end()
	}
	if err == nil {
		err = s.soft
	}
	if err != nil {
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

// member reads one member of the message.
func (f *listFilter) member(s *scanner, key []byte, depth int) error {
	if string(key) == "result" {
		return s.span(nil, depth, f.resultMember)
	}
	s.fold(key, envelopeKeys)
	return s.value(depth)
}

// resultMember reads one member of the result.
func (f *listFilter) resultMember(s *scanner, key []byte, depth int) error {
	idKey, isList := lists[string(key)]
	switch {
	case isList:
		f.listed = true
		return f.list(s, string(key), idKey, depth)
	case string(key) == "cacheScope":
		return f.scope(s, depth)
	}
	s.fold(key, resultKeys)
	return s.value(depth)
}

// scope makes a public result private.
func (f *listFilter) scope(s *scanner, depth int) error {
	from := s.i
	err := s.value(depth)
	if err == nil && string(text(s.b[from:s.i])) == "public" {
		f.replace(from, s.i, `"private"`)
	}
	return err
}

// list reads the value of a list key: an array, or null.
func (f *listFilter) list(s *scanner, list, idKey string, depth int) error {
	if s.peek() == '[' {
		n, err := f.items(s, idKey, depth, func(id string, _ []byte) bool { return f.keep(list, id) })
		f.n.Items += n.Items
		f.n.Kept += n.Kept
		return err
	}
	from := s.i
	if s.literal("null") != nil {
		return errNotList
	}
	f.replace(from, s.i, "[]")
	return nil
}
