package configs_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sark/configs"
)

// A variable must mean one key: a.b_c and a_b.c would share one.
func TestVariablesAreUnambiguous(t *testing.T) {
	owner := map[string]string{}
	for _, key := range configs.Keys() {
		for _, name := range append(key.Aliases, key.Env) {
			if name == "" {
				continue
			}
			if other, taken := owner[name]; taken {
				t.Errorf("%s sets both %s and %s", name, other, key.Path)
			}
			owner[name] = key.Path
		}
		if key.Secret && key.Env != "" {
			owner[key.Env+"_FILE"] = key.Path
		}
	}
}

// Every field says whether a reload applies it, and no tag is misspelt.
func TestTags(t *testing.T) {
	known := []string{"key", "default", "reload", "env", "enum", "min", "max", "off", "unit", "secret", "single", "required"}
	var visit func(s reflect.Type, entry bool)
	visit = func(s reflect.Type, entry bool) {
		for i := range s.NumField() {
			f := s.Field(i)
			for _, name := range tagNames(f.Tag) {
				if !slices.Contains(known, name) {
					t.Errorf("%s.%s: unknown tag %q", s, f.Name, name)
				}
			}
			reload, isSection := f.Tag.Get("reload"), f.Type.Kind() == reflect.Struct
			if wants := !entry && !isSection; wants != (reload == "live" || reload == "restart") {
				t.Errorf("%s.%s: reload is %q", s, f.Name, reload)
			}
			if isSection {
				visit(f.Type, entry)
			}
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				visit(f.Type.Elem(), true)
			}
		}
	}
	visit(reflect.TypeFor[configs.Config](), false)
}

// tagNames returns the names in a struct tag.
func tagNames(tag reflect.StructTag) []string {
	var names []string
	text := string(tag)
	for text != "" {
		name, rest, found := strings.Cut(text, `:"`)
		if !found {
			return append(names, text)
		}
		names = append(names, strings.TrimSpace(name))
		end := strings.Index(strings.ReplaceAll(rest, `\"`, "__"), `"`)
		text = rest[end+1:]
	}
	return names
}

func TestBytesText(t *testing.T) {
	got := []string{configs.Bytes(0).String(), configs.Bytes(1000).String(), configs.Bytes(4 << 20).String(), configs.Bytes(1536).String()}

	equal(t, []string{"0", "1000", "4MiB", "1536"}, got)
}
