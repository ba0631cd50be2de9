package sqlite

import "sark/store"

// RollupQuery is the statement of Rollups and its arguments.
func RollupQuery(f store.RollupFilter) (string, []any) { return rollupQuery(f) }

// By makes a store open its file by another driver.
func By(o Options, driver string) Options {
	o.driver = driver
	return o
}
