package configs

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// envPrefix begins every variable that belongs to SARK.
const envPrefix = "SARK_"

// kind says how the value of a node is read.
type kind int

const (
	kindSection kind = iota // a mapping with known keys
	kindEntries             // a list of mappings with known keys
	kindStrings             // a list of strings
	kindObject              // a free-form mapping
	kindString
	kindBool
	kindInt
	kindDuration
	kindBytes
)

// node is one field of Config, or of a section or list entry inside it.
type node struct {
	Key
	name   string // the last part of the path
	secret string // the secret tag: "", "true" or "url"
	single bool
	kind   kind
	typ    reflect.Type
	fields []int // index of the field in Config, or in the list entry that holds it
	kids   []*node
}

// newSchema builds the tree of nodes from the struct tags of Config.
func newSchema() *node {
	t := reflect.TypeFor[Config]()
	return &node{kind: kindSection, typ: t, kids: fieldNodes(t, "", nil, false)}
}

// walk calls f for n's descendants, parents first, in the order of the fields.
func (n *node) walk(f func(*node)) {
	for _, kid := range n.kids {
		f(kid)
		kid.walk(f)
	}
}

// leaves calls f for every setting that has a value of its own, which leaves
// out sections and the settings of list entries.
func (n *node) leaves(f func(*node)) {
	for _, kid := range n.kids {
		if kid.kind == kindSection {
			kid.leaves(f)
			continue
		}
		f(kid)
	}
}

// kid returns the child of that name, or nil.
func (n *node) kid(name string) *node {
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// secretKid returns the child whose file key is name, or nil.
func (n *node) secretKid(name string) *node {
	base, found := strings.CutSuffix(name, FileSuffix)
	if !found {
		return nil
	}
	if kid := n.kid(base); kid != nil && kid.Secret {
		return kid
	}
	return nil
}

// fieldNodes makes the nodes of a struct's fields.
func fieldNodes(t reflect.Type, prefix string, fields []int, entry bool) []*node {
	nodes := make([]*node, 0, t.NumField())
	for i := range t.NumField() {
		nodes = append(nodes, fieldNode(t.Field(i), prefix, append(slices.Clone(fields), i), entry))
	}
	return nodes
}

// fieldNode makes the node of one field. Inside list entries (entry) there are
// no environment names.
func fieldNode(f reflect.StructField, prefix string, fields []int, entry bool) *node {
	tag := f.Tag.Get
	n := &node{name: tag("key"), fields: fields, typ: f.Type, kind: kindOf(f.Type), secret: tag("secret"), single: tag("single") == "true"}
	n.Key = Key{
		Path: prefix + tag("key"), Aliases: list(tag("env"), ","), Type: typeName(n.kind), Default: tag("default"),
		Live: tag("reload") == "live", Secret: n.secret != "", Unit: tag("unit"), Enum: list(tag("enum"), "|"),
		Min: tag("min"), Max: tag("max"), Off: tag("off"), Required: tag("required") == "true",
	}
	if !entry && n.kind != kindSection {
		n.Env = envPrefix + strings.ToUpper(strings.ReplaceAll(n.Path, ".", "_"))
	}
	switch n.kind {
	case kindSection:
		n.kids = fieldNodes(f.Type, n.Path+".", fields, entry)
	case kindEntries:
		n.kids = fieldNodes(f.Type.Elem(), n.Path+"[].", nil, true)
	}
	return n
}

// kindOf says how a field's type is read. A type outside the list is a
// mistake in Config itself.
func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return kindDuration
	case reflect.TypeFor[Bytes]():
		return kindBytes
	case reflect.TypeFor[Object]():
		return kindObject
	case reflect.TypeFor[[]string]():
		return kindStrings
	}
	switch t.Kind() {
	case reflect.Struct:
		return kindSection
	case reflect.Slice:
		return kindEntries
	case reflect.String:
		return kindString
	case reflect.Bool:
		return kindBool
	case reflect.Int:
		return kindInt
	}
	panic("BUG: no way to read a configuration field of type " + t.String())
}

// typeName says what a value must be, so that it can follow "must be a".
func typeName(k kind) string {
	return map[kind]string{
		kindSection:  "section",
		kindEntries:  "list of mappings",
		kindStrings:  "list of strings",
		kindObject:   "mapping",
		kindString:   "string",
		kindBool:     "boolean (true or false)",
		kindInt:      "whole number",
		kindDuration: "duration (30s, 1m30s, or a number of seconds)",
		kindBytes:    "size (4MiB, or a number of bytes)",
	}[k]
}

// list splits a tag; an empty tag has no elements.
func list(tag, separator string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, separator)
}
