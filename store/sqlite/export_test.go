package sqlite

import "sark/store"

// RollupQuery is the statement of Rollups and its arguments.
func RollupQuery(f store.RollupFilter) (string, []any) { return rollupQuery(f) }

// SpanQuery is the statement by which a Trail reads events of a writer; its arguments are writer, first and last number.
func SpanQuery() string { return selectSpan() }

// By makes a store open its file by another driver.
func By(o Options, driver string) Options {
	o.driver = driver
	return o
}
