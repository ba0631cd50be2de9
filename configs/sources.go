package configs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// Presets returns the names of the presets, sorted.
func Presets() []string {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic("BUG: the presets are not embedded: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))
	}
	return names
}

// newLayer returns an empty layer, and the setter that fills it with values of
// the source that is being read.
func (r *reader) newLayer() (layer, setter) {
	l := layer{values: map[string]any{}, origins: map[string]Origin{}}
	return l, func(n *node, value any) {
		l.values[n.Path] = value
		l.origins[n.Path] = r.source
	}
}

// preset reads an embedded preset.
func (r *reader) preset(schema *node, name string) layer {
	l, set := r.newLayer()
	if name == "" {
		return l
	}
	r.source = Origin{Layer: LayerPreset, Name: name}
	content, err := presetFiles.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		r.issues.add("preset", fmt.Sprintf("there is no preset %q; the presets are %s", name, strings.Join(Presets(), ", ")))
		return l
	}
	r.document(schema, content, name, set)
	return l
}

// file reads the configuration file.
func (r *reader) file(schema *node, name string) layer {
	l, set := r.newLayer()
	if name == "" {
		return l
	}
	r.source = Origin{Layer: LayerFile, Name: name}
	content, err := r.readFile(name)
	if err != nil {
		r.complain(name, "cannot read the configuration: %s", err)
		return l
	}
	r.document(schema, content, name, set)
	return l
}

// document reads one YAML document, of which JSON is a part.
func (r *reader) document(schema *node, content []byte, name string, set setter) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var root any
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return
	}
	if err != nil {
		r.complain(name, "not a YAML document: %s", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	var more any
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		r.complain(name, "must hold one YAML document; there is another after it")
	}
	if root == nil {
		return
	}
	tree, ok := asTree(root).(map[string]any)
	if !ok {
		r.complain(name, "must hold a mapping of settings")
		return
	}
	r.section(schema, tree, "", set)
}

// flags reads what the command line sets.
func (r *reader) flags(schema *node, flags map[string]any) layer {
	l, set := r.newLayer()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		r.source = Origin{Layer: LayerFlag, Name: name}
		r.flag(schema, name, flags[name], set)
	}
	return l
}

// flag reads one setting of the command line.
func (r *reader) flag(schema *node, name string, raw any, set setter) {
	n, isFile := schema.find(name)
	text, isText := raw.(string)
	switch {
	case n == nil:
		r.complain(name, "unknown key%s", suggestKey(schema, "", name))
	case isFile:
		r.secretFile(n, raw, n.Path, set)
	case isText:
		r.text(n, text, set)
	default:
		r.value(n, raw, name, set)
	}
}

// find returns the setting at a dotted path, or the secret whose file key that is.
func (n *node) find(path string) (found *node, isFile bool) {
	n.leaves(func(leaf *node) {
		switch {
		case leaf.Path == path:
			found, isFile = leaf, false
		case leaf.Secret && leaf.Path+FileSuffix == path:
			found, isFile = leaf, true
		}
	})
	return found, isFile
}
