package discover

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// rule says which words suggest a level.
type rule struct {
	level string
	words []string // several words with spaces stand one after the other
}

// rules are those of SARK 1.7, most sensitive first.
func rules() []rule {
	return []rule{
		{"critical", []string{
			"payment", "transaction", "credit card", "password", "secret", "key", "token", "credential", "auth", "permission",
			"access control", "encrypt", "decrypt",
		}},
		{"high", []string{
			"delete", "drop", "exec", "execute", "admin", "root", "sudo", "kill", "destroy", "remove", "purge", "truncate",
		}},
		{"medium", []string{
			"write", "update", "modify", "change", "edit", "create", "insert", "save", "upload", "put", "post", "patch",
		}},
		{"low", []string{
			"read", "get", "list", "fetch", "view", "show", "display", "query", "search", "find", "retrieve",
		}},
	}
}

// Suggest returns the level that the words of a tool suggest, those of its name, its description and the names of its
// parameters, and which words these are; "medium" and none when there are none. Words are whole words: "monkey" holds no
// key. Unlike in SARK 1.7, an identifier is read word by word, so that delete_customer and deleteCustomer hold "delete", and
// a plural counts.
func Suggest(name, description string, schema []byte) (level string, because []string) {
	text := " " + strings.Join(split(name), " ") + " | " + strings.Join(split(description), " ") + " "
	for _, parameter := range parameters(schema) {
		text += "| " + strings.Join(split(parameter), " ") + " "
	}
	for _, r := range rules() {
		for _, word := range r.words {
			if strings.Contains(text, " "+word+" ") || strings.Contains(text, " "+word+"s ") {
				because = append(because, word)
			}
		}
		if len(because) > 0 {
			return r.level, because
		}
	}
	return "medium", nil
}

// split returns the words of a text or an identifier in lower case.
func split(text string) (words []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && humps(runes, i):
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}

// humps reports whether a word begins at the upper-case letter at i: after a small letter, or as the last of several that a
// small one follows ("APIKey").
func humps(runes []rune, i int) bool {
	next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
	return unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]) || (unicode.IsUpper(runes[i-1]) && next)
}

// parameters returns the names of the properties of a schema, in order.
func parameters(schema []byte) []string {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(schema, &s) != nil {
		return nil
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
