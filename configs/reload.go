package configs

import "reflect"

// Reload returns the configuration that holds after a reload: next's values
// for keys that are live, and running's for keys that take a restart. It also
// returns the paths of changed keys of both kinds, in the order of the
// reference. It shares slices and maps with its arguments.
func Reload(running, next Config) (effective Config, applied, pending []string) {
	effective = running
	from, to := reflect.ValueOf(next), reflect.ValueOf(&effective).Elem()
	newSchema().leaves(func(n *node) {
		value, current := from.FieldByIndex(n.fields), to.FieldByIndex(n.fields)
		if reflect.DeepEqual(value.Interface(), current.Interface()) {
			return
		}
		if !n.Live {
			pending = append(pending, n.Path)
			return
		}
		current.Set(value)
		applied = append(applied, n.Path)
	})
	return effective, applied, pending
}
