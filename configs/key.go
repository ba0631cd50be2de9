package configs

// Key describes one setting, as docs/configuration.md shows it.
type Key struct {
	// Path is the dotted name, such as store.postgres.pool_size. Settings of
	// list entries are written proxy.servers[].name.
	Path string
	// Env is the SARK_ variable; empty for settings of list entries.
	Env string
	// Aliases are further variables, strongest first.
	Aliases []string
	// Type is what the value must be, in words.
	Type string
	// Default is the value when nothing sets the key, written as in the
	// environment.
	Default string
	// Live tells that a reload applies a change; otherwise it takes a restart.
	Live bool
	// Secret tells that the value, or the password inside it, is never shown,
	// and that a key with the suffix _file exists too.
	Secret bool
	// Unit is the unit of a plain number.
	Unit string
	// Enum lists the accepted values; empty accepts all of the type.
	Enum []string
	// Min and Max are inclusive bounds, written like Default; empty is unbounded.
	Min, Max string
	// Off is what switches the setting off beside the word off and, for numbers,
	// 0, such as the seed's -1; empty when the setting cannot be off. All of them
	// read as the zero value.
	Off string
	// Required tells that an entry of a list is wrong without it.
	Required bool
}

// FileSuffix is what a secret key or its variable gets appended, in the case
// of the variable as _FILE, to name a file that holds the value.
const FileSuffix = "_file"

// Keys returns every setting in the order of the reference. A list is followed
// by the settings of its entries.
func Keys() []Key {
	var keys []Key
	newSchema().walk(func(n *node) {
		if n.kind != kindSection {
			keys = append(keys, n.Key)
		}
	})
	return keys
}
