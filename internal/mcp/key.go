package mcp

import "strings"

// linearKeys is how many keys of one object are compared one by one before a map takes over, so that an object with many
// keys costs linear time.
const linearKeys = 32

// markOf gives a key one bit of a word, by its length and its ends.
func markOf(key []byte) uint64 {
	n := len(key)
	if n == 0 {
		return 1
	}
	return 1 << ((uint(key[0]) + 5*uint(key[n-1]) + 11*uint(n)) & 63) // #nosec G115 -- a length is not negative
}

// key scans a key and returns its unescaped text, valid until the object ends.
func (s *scanner) key() ([]byte, error) {
	raw, escaped, err := s.str()
	if err != nil || !escaped {
		return raw, err
	}
	from := len(s.text)
	s.text = appendUnescaped(s.text, raw)
	return s.text[from:], nil
}

// unique notes a duplicate key in soft and adds the key to the open object that starts at base. seen is nil until the
// object has many keys; the caller hands the returned one to the next call.
func (s *scanner) unique(base int, key []byte, seen map[string]struct{}) map[string]struct{} {
	if seen == nil {
		return s.uniqueLinear(base, key)
	}
	n := len(seen)
	if seen[Text(key)] = struct{}{}; len(seen) == n {
		s.note(errDuplicate)
	}
	return seen
}

// uniqueLinear compares the key with each one before it, and returns a map of all when they have become many.
func (s *scanner) uniqueLinear(base int, key []byte) map[string]struct{} {
	open := s.keys[base:]
	for _, k := range open {
		if string(k) == string(key) {
			s.note(errDuplicate)
		}
	}
	s.keys = append(s.keys, key)
	if len(open) < linearKeys {
		return nil
	}
	seen := make(map[string]struct{}, 4*linearKeys)
	for _, k := range s.keys[base:] {
		seen[Text(k)] = struct{}{}
	}
	return seen
}

// fold notes a key that equals a known one only under case folding.
func (s *scanner) fold(key []byte, known []string) {
	for _, k := range known {
		if strings.EqualFold(Text(key), k) {
			if string(key) != k {
				s.note(errFold)
			}
			return
		}
	}
}
