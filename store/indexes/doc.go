// Package indexes looks after the indexes of the operator's database: it builds those that are missing or broken while
// gateways write, and tells which ones are used.
//
// It promises that a table stays writable while an index of it is built, that an index counts as built only when the
// database says that it is valid, and that doing it twice does nothing the second time. It knows the shape that a table has
// in this very database (plain, natively partitioned, or a hypertable) by asking, and nothing of how it came to it. Unique
// indexes are constraints, which belong to package migrations.
package indexes
