package mcp

import "fmt"

// FilterItems removes from a JSON object (a page of the management API) the items of the named array that keep refuses.
// idKey is the member that identifies an item; one without it is removed. Everything else stays byte for byte, except that
// a "total" other than null becomes null when items were removed, since it would tell how many are hidden, and when all,
// which is asked only if there is one, says that the caller may not know how many there are on other pages. out aliases doc
// when nothing was changed, else dst.
func FilterItems(dst, doc []byte, array, idKey string, keep func(id string, item []byte) bool, all func() bool) (out []byte, n Filtered, err error) {
	s := acquireScanner(doc)
	defer releaseScanner(s)
	if s.peek() != '{' {
		return nil, n, fmt.Errorf("read page: %w", errNotObject)
	}
	var changes edits
	secret := false // there is a total that is not to be told
	m := members{s: s, depth: 2}
	for m.next() {
		switch {
		case string(m.key) == array && s.peek() == '[':
			n = changes.items(s, idKey, m.depth, keep)
		case string(m.key) == "total":
			if raw := m.raw(); raw != nil && raw[0] != 'n' {
				changes.replace(m.at, s.i, "null")
				secret = secret || !all()
			}
		}
	}
	if err = s.verdict(); err != nil {
		return nil, Filtered{}, fmt.Errorf("read page: %w", err)
	}
	if n.Items == n.Kept && !secret {
		return doc, n, nil
	}
	return changes.apply(dst, doc), n, nil
}

// Member returns the raw JSON of a member of an object, nil when it is not there or the JSON is not sound. The result
// aliases object.
func Member(object []byte, name string) []byte {
	s := acquireScanner(object)
	defer releaseScanner(s)
	var raw []byte
	m := members{s: s, depth: 2}
	for m.next() {
		if string(m.key) == name {
			raw = m.raw()
		}
	}
	if s.verdict() != nil {
		return nil
	}
	return raw
}

// Strings returns the texts of a raw JSON array, nil for anything else. What is no string in it is left out.
func Strings(raw []byte) []string {
	s := acquireScanner(raw)
	defer releaseScanner(s)
	var list []string
	n := items{s: s, depth: 2}
	for n.next() {
		if item := n.raw(); item != nil && item[0] == '"' {
			list = append(list, String(item))
		}
	}
	if s.verdict() != nil {
		return nil
	}
	return list
}

// String returns the text of a raw JSON string, "" for anything else.
func String(raw []byte) string { return string(text(raw)) }

// Size is how many members a raw JSON object has; 0 for anything else.
func Size(object []byte) int {
	s := acquireScanner(object)
	defer releaseScanner(s)
	n := 0
	m := members{s: s, depth: 2}
	for m.next() {
		n++
	}
	if s.err != nil {
		return 0
	}
	return n
}
