package configs

import (
	"fmt"
	"io"
	"reflect"
	"time"

	"gopkg.in/yaml.v3"
)

// Print writes the effective configuration as YAML that [Load] can read again,
// except for secrets, which are redacted. A value that is not the default gets
// a comment with its origin.
func Print(w io.Writer, l *Loaded) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(l.tree(newSchema(), reflect.ValueOf(l.Config))); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return e.Close()
}

// tree returns the YAML mapping of a section. The value v is the struct that
// the section's fields are counted from.
func (l *Loaded) tree(section *node, v reflect.Value) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for _, n := range section.kids {
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: n.name}
		if n.kind == kindSection {
			mapping.Content = append(mapping.Content, name, l.tree(n, v))
			continue
		}
		value := l.yamlValue(n, v.FieldByIndex(n.fields))
		if origin := l.Origins[n.Path]; origin.Layer != "" && origin.Layer != LayerDefault {
			comment(name, value, origin.String())
		}
		mapping.Content = append(mapping.Content, name, value)
	}
	return mapping
}

// comment puts a remark beside a value of one line, or beside the key of a
// longer one.
func comment(name, value *yaml.Node, text string) {
	if value.Kind == yaml.ScalarNode || value.Style&yaml.FlowStyle != 0 {
		value.LineComment = text
		return
	}
	name.LineComment = text
}

// yamlValue returns the YAML of one value.
func (l *Loaded) yamlValue(n *node, v reflect.Value) *yaml.Node {
	if n.kind != kindEntries {
		return plainNode(n, v)
	}
	sequence := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range v.Len() {
		sequence.Content = append(sequence.Content, l.tree(n, v.Index(i)))
	}
	if len(sequence.Content) == 0 {
		sequence.Style = yaml.FlowStyle
	}
	return sequence
}

// plainNode returns the YAML of a scalar, a list of strings or an object.
func plainNode(n *node, v reflect.Value) *yaml.Node {
	node := &yaml.Node{}
	if err := node.Encode(n.plain(v)); err != nil {
		panic("BUG: " + n.Path + " holds what YAML cannot: " + err.Error())
	}
	if n.kind == kindStrings || n.kind == kindObject && len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node
}

// plain returns a value as a person would write it, without secrets.
func (n *node) plain(v reflect.Value) any {
	if n.Off != "" && v.IsZero() {
		return offWord
	}
	switch n.kind {
	case kindDuration:
		return durationText(time.Duration(v.Int()))
	case kindBytes:
		return Bytes(v.Int()).String()
	case kindString:
		return n.redact(v.String())
	case kindStrings:
		return append([]string{}, v.Interface().([]string)...)
	case kindObject:
		return redactObject(v.Interface().(Object))
	}
	return v.Interface()
}

// show returns a value for a message.
func (n *node) show(v reflect.Value) string { return fmt.Sprint(n.plain(v)) }

// redactObject returns a copy of a free-form mapping in which the strings that
// are secret by their key's name are hidden.
func redactObject(o map[string]any) map[string]any {
	shown := make(map[string]any, len(o))
	for key, value := range o {
		shown[key] = redactValue(key, value)
	}
	return shown
}

// redactValue returns what may be shown of one value of a free-form mapping.
func redactValue(key string, value any) any {
	switch v := value.(type) {
	case string:
		if secretParameter(key) {
			return redacted
		}
	case map[string]any:
		return redactObject(v)
	case []any:
		shown := make([]any, len(v))
		for i := range v {
			shown[i] = redactValue(key, v[i])
		}
		return shown
	}
	return value
}
