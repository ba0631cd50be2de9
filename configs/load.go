package configs

import (
	"cmp"
	"fmt"
	"io/fs"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// Options say where [Load] finds a configuration. The zero value reads
// nothing and yields the defaults.
type Options struct {
	// File is the path of a YAML or JSON file. Empty takes the variable
	// SARK_CONFIG, and without that no file is read.
	File string
	// Preset is one of [Presets]. Empty takes the variable SARK_PRESET.
	Preset string
	// Flags holds what the command line sets, by key path. Strings are read
	// like environment variables.
	Flags map[string]any
	// Environ holds NAME=value pairs as os.Environ returns them. An empty value
	// counts as unset.
	Environ []string
	// ReadFile reads the configuration file and secret files; nil is os.ReadFile.
	ReadFile func(name string) ([]byte, error)
	// Files notes what is read, so that a change of it can be noticed. It may be
	// nil.
	Files *Files
	// Stat is asked whether others may read a secret file. Nil is os.Stat, or
	// no check at all when ReadFile is set.
	Stat func(name string) (fs.FileInfo, error)
}

// Loaded is a valid configuration and how it came about.
type Loaded struct {
	// Config is the effective configuration.
	Config Config
	// Warnings are one-line remarks on what is allowed but unlikely to be meant.
	Warnings []string
	// Origins holds where the value of each key comes from, by key path. A list
	// has one origin with all of its entries.
	Origins map[string]Origin
}

// Layer is a place where settings come from, from the weakest to the strongest.
type Layer string

// The layers of a configuration.
const (
	LayerDefault     Layer = "default"
	LayerPreset      Layer = "preset"
	LayerFile        Layer = "file"
	LayerEnvironment Layer = "environment"
	LayerFlag        Layer = "flag"
)

// Origin is where the value of a key comes from.
type Origin struct {
	// Layer is the kind of place.
	Layer Layer
	// Name is the preset, the file, the variable or the flag; empty for defaults.
	Name string
}

// String returns the layer and the name, such as "environment VALKEY_POOL_SIZE".
func (o Origin) String() string {
	if o.Name == "" {
		return string(o.Layer)
	}
	return string(o.Layer) + " " + o.Name
}

// Load reads, merges and validates a configuration. An error that lists
// mistakes in the configuration is of type [Issues].
func Load(o Options) (*Loaded, error) {
	schema, env := newSchema(), environMap(o.Environ)
	r := newReader(o)
	layers := []layer{
		r.preset(schema, cmp.Or(o.Preset, env[presetVariable])),
		r.file(schema, cmp.Or(o.File, env[configVariable])),
		r.environment(schema, env),
		r.flags(schema, o.Flags),
	}
	c, err := merge(schema, layers)
	if err != nil {
		return nil, err
	}
	loaded := &Loaded{Config: c, Origins: origins(schema, layers)}
	issues := r.issues
	for _, issue := range Validate(c) {
		if !r.issues.covers(issue.Path) {
			issues = append(issues, loaded.locate(issue))
		}
	}
	if len(issues) > 0 {
		return nil, issues
	}
	loaded.Warnings = append(r.warnings, Warnings(c)...)
	return loaded, nil
}

// locate adds to an issue where its value was set.
func (l *Loaded) locate(issue Issue) Issue {
	for path, origin := range l.Origins {
		if origin.Layer != LayerDefault && (path == issue.Path || under(issue.Path, path)) {
			issue.Message += " (from " + origin.String() + ")"
		}
	}
	return issue
}

// merge lays the layers over the defaults, the last on top. Lists and
// free-form mappings replace each other as a whole.
func merge(schema *node, layers []layer) (Config, error) {
	v := viper.New()
	for path, value := range defaults(schema) {
		v.SetDefault(path, value)
	}
	for _, l := range layers {
		if err := v.MergeConfigMap(nest(schema, l.values)); err != nil {
			return Config{}, fmt.Errorf("merge the settings: %w", err)
		}
	}
	var c Config
	err := v.Unmarshal(&c, func(d *mapstructure.DecoderConfig) {
		d.TagName = "key"
		d.DecodeHook = nil // The layers hold decoded values already.
	})
	if err != nil {
		return Config{}, fmt.Errorf("decode the merged settings: %w", err)
	}
	return c, nil
}

// defaults returns the decoded default of every setting that has one.
func defaults(schema *node) map[string]any {
	values := map[string]any{}
	schema.leaves(func(n *node) {
		if n.Default != "" {
			values[n.Path] = n.defaultValue()
		}
	})
	return values
}

// nest turns values by dotted path into a tree of sections.
func nest(section *node, values map[string]any) map[string]any {
	tree := map[string]any{}
	for _, kid := range section.kids {
		if kid.kind == kindSection {
			tree[kid.name] = nest(kid, values)
			continue
		}
		if value, found := values[kid.Path]; found {
			tree[kid.name] = value
		}
	}
	return tree
}

// origins tells for each setting which layer won.
func origins(schema *node, layers []layer) map[string]Origin {
	from := map[string]Origin{}
	schema.leaves(func(n *node) {
		from[n.Path] = Origin{Layer: LayerDefault}
		for _, l := range layers {
			if origin, found := l.origins[n.Path]; found {
				from[n.Path] = origin
			}
		}
	})
	return from
}
