package configs

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
)

// layer holds the decoded values of one place, by key path.
type layer struct {
	values  map[string]any
	origins map[string]Origin
}

// reader turns what it is given into layers and collects all mistakes.
type reader struct {
	readFile func(string) ([]byte, error)
	stat     func(string) (fs.FileInfo, error)
	source   Origin // what is being read
	issues   Issues
	warnings []string
}

// newReader returns a reader over the files of o.
func newReader(o Options) *reader {
	r := &reader{readFile: o.ReadFile, stat: o.Stat}
	if r.readFile == nil {
		r.readFile = os.ReadFile
		if r.stat == nil {
			r.stat = os.Stat
		}
	}
	r.readFile = o.Files.noting(r.readFile)
	return r
}

// complain records a mistake at path in what is being read.
func (r *reader) complain(path, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if r.source.Name != "" && r.source.Name != path {
		message += " (from " + r.source.String() + ")"
	}
	r.issues.add(path, message)
}

// warn records a remark.
func (r *reader) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// setter receives the decoded value of a setting.
type setter func(n *node, value any)

// section reads a mapping with the known keys of n. The path is that of the
// mapping, with list indices. A null value counts as unset.
func (r *reader) section(n *node, tree map[string]any, path string, set setter) {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if kid := n.kid(name); kid != nil {
			r.value(kid, tree[name], at, set)
			continue
		}
		kid := n.secretKid(name)
		if kid == nil {
			r.complain(at, "unknown key%s", suggestKey(n, path, name))
			continue
		}
		at = strings.TrimSuffix(at, FileSuffix)
		if tree[kid.name] != nil && tree[name] != nil {
			r.complain(at, "set either %s or %s, not both", kid.name, name)
			continue
		}
		r.secretFile(kid, tree[name], at, set)
	}
}

// value reads the value of one key.
func (r *reader) value(n *node, raw any, path string, set setter) {
	if raw == nil {
		return
	}
	switch n.kind {
	case kindSection:
		tree, ok := asTree(raw).(map[string]any)
		if !ok {
			r.complain(path, "must be a mapping of settings")
			return
		}
		r.section(n, tree, path, set)
	case kindEntries:
		r.entries(n, raw, path, set)
	default:
		value, err := n.decode(asTree(raw))
		if err != nil {
			r.complain(path, "%s", err)
			return
		}
		set(n, value)
	}
}

// entries reads a list of mappings. A wrong entry keeps its place, so that the
// indices in messages stay true.
func (r *reader) entries(n *node, raw any, path string, set setter) {
	items, ok := raw.([]any)
	if !ok {
		r.complain(path, "must be a %s", n.Type)
		return
	}
	result := reflect.MakeSlice(n.typ, len(items), len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		tree, ok := asTree(item).(map[string]any)
		if !ok {
			r.complain(at, "must be a mapping of settings")
			continue
		}
		entry := result.Index(i)
		into := func(n *node, value any) { entry.FieldByIndex(n.fields).Set(reflect.ValueOf(value)) }
		for _, kid := range n.kids {
			kid.setDefaults(into)
		}
		r.section(n, tree, at, into)
	}
	set(n, result.Interface())
}

// setDefaults sets the defaults of n and of what is below it.
func (n *node) setDefaults(set setter) {
	if n.kind != kindSection && n.Default != "" {
		set(n, n.defaultValue())
	}
	if n.kind != kindSection {
		return
	}
	for _, kid := range n.kids {
		kid.setDefaults(set)
	}
}

// defaultValue returns the decoded default. One that does not decode is a
// mistake in the tags of Config.
func (n *node) defaultValue() any {
	value, err := n.decodeText(n.Default)
	if err != nil {
		panic("BUG: the default of " + n.Path + ": " + err.Error())
	}
	return value
}

// text reads the value of one key from the environment or a flag.
func (r *reader) text(n *node, text string, set setter) {
	if n.kind != kindEntries {
		value, err := n.decodeText(text)
		if err != nil {
			r.complain(n.Path, "%s", err)
			return
		}
		set(n, value)
		return
	}
	raw, err := readJSON(text)
	if err != nil {
		r.complain(n.Path, "it must be a %s written as JSON: %s", n.Type, err)
		return
	}
	r.value(n, raw, n.Path, set)
}

// asTree gives mappings string keys, at every depth, and copies nothing else.
func asTree(raw any) any {
	switch v := raw.(type) {
	case map[any]any:
		tree := make(map[string]any, len(v))
		for key, value := range v {
			tree[fmt.Sprint(key)] = asTree(value)
		}
		return tree
	case map[string]any:
		for key, value := range v {
			v[key] = asTree(value)
		}
	case []any:
		for i := range v {
			v[i] = asTree(v[i])
		}
	}
	return raw
}
