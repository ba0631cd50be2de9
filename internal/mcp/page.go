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
	if s.next() != '{' {
		return nil, n, fmt.Errorf("read page: %w", errNotObject)
	}
	var changes edits
	secret := false // there is a total that is not to be told
	err = s.object(1, func(s *scanner, key []byte, depth int) (err error) {
		from := s.i
		switch {
		case string(key) == array && s.peek() == '[':
			n, err = changes.items(s, idKey, depth, keep)
			return err
		case string(key) == "total":
			if err = s.value(depth); err == nil && doc[from] != 'n' {
				changes.replace(from, s.i, "null")
				secret = secret || !all()
			}
			return err
		}
		return s.value(depth)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = s.soft
	}
	if err != nil {
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
	if s.next() != '{' {
		return nil
	}
	var raw []byte
	err := s.object(1, func(s *scanner, key []byte, depth int) error {
		if string(key) == name {
			return s.span(&raw, depth, nil)
		}
		return s.value(depth)
	})
	if err != nil || s.end() != nil || s.soft != nil {
		return nil
	}
	return raw
}

// Strings returns the texts of a raw JSON array, nil for anything else. What is no string in it is left out.
func Strings(raw []byte) []string {
	s := acquireScanner(raw)
	defer releaseScanner(s)
	if s.next() != '[' {
		return nil
	}
	var list []string
	err := s.array(1, func(s *scanner, depth int) error {
		from := s.i
		if err := s.value(depth); err != nil {
			return err
		}
		if item := s.b[from:s.i]; item[0] == '"' {
			list = append(list, String(item))
		}
		return nil
	})
	if err != nil || s.end() != nil || s.soft != nil {
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
	if s.next() != '{' {
		return 0
	}
	n := 0
	err := s.object(1, func(s *scanner, _ []byte, depth int) error {
		n++
		return s.value(depth)
	})
	if err != nil {
		return 0
	}
	return n
}
