package configs

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Validate returns every mistake in c, or nothing. It is pure: it opens no
// file and no connection.
func Validate(c Config) Issues {
	var issues Issues
	checkFields(&issues, newSchema(), reflect.ValueOf(c), "")
	checkListeners(&issues, c)
	checkProxy(&issues, c)
	checkServers(&issues, c)
	checkAuthn(&issues, c)
	checkAuthz(&issues, c.Authz)
	checkStorage(&issues, c)
	return issues
}

// checkFields holds every field below n against its tags. The value v is the
// struct that n's fields are counted from, and prefix its path.
func checkFields(issues *Issues, n *node, v reflect.Value, prefix string) {
	for _, kid := range n.kids {
		if kid.kind == kindSection {
			checkFields(issues, kid, v, prefix)
			continue
		}
		value := v.FieldByIndex(kid.fields)
		path := prefix + kid.relative()
		checkField(issues, kid, value, path)
		if kid.kind != kindEntries {
			continue
		}
		for i := range value.Len() {
			checkFields(issues, kid, value.Index(i), fmt.Sprintf("%s[%d].", path, i))
		}
	}
}

// relative returns the path of n inside Config, or inside the list entry that
// holds it.
func (n *node) relative() string {
	const entry = "[]."
	if i := strings.LastIndex(n.Path, entry); i >= 0 {
		return n.Path[i+len(entry):]
	}
	return n.Path
}

// checkField holds one value against the tags of its field.
func checkField(issues *Issues, n *node, v reflect.Value, path string) {
	switch {
	case n.Required && v.IsZero():
		issues.add(path, "is required")
	case len(n.Enum) > 0 && !slices.Contains(n.Enum, v.String()):
		issues.add(path, fmt.Sprintf("%q is not one of %s", v.String(), strings.Join(named(n.Enum), ", ")))
	case n.Off != "" && v.IsZero():
		return
	case n.Min != "" && n.compare(v, n.Min) < 0, n.Max != "" && n.compare(v, n.Max) > 0:
		issues.add(path, fmt.Sprintf("%s is out of range: write %s to %s%s", n.show(v), n.Min, n.Max, n.offHint()))
	}
}

// named leaves out the empty word, which stands for "unset".
func named(enum []string) []string {
	return slices.DeleteFunc(slices.Clone(enum), func(word string) bool { return word == "" })
}

// offHint says how to switch a setting off, if that is possible.
func (n *node) offHint() string {
	if n.Off == "" {
		return ""
	}
	return ", or off"
}

// compare compares a value with a bound that is written like a default.
func (n *node) compare(v reflect.Value, bound string) int {
	limit, err := n.decodeText(bound)
	if err != nil {
		panic("BUG: a bound of " + n.Path + ": " + err.Error())
	}
	return cmp.Compare(v.Int(), reflect.ValueOf(limit).Int())
}
