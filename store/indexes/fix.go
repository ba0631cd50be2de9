package indexes

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// again is what to do when nothing else is known. It is safe: what was left half done is dropped first.
const again = `run "sark indexes apply" again, which drops what is left of it and builds it anew`

// fix says what to do about an error of PostgreSQL, by its SQLSTATE,
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func fix(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return "when the database answers again, " + again
	}
	switch e.Code {
	case "42501": // insufficient_privilege
		return "use a store.url whose role owns the table, or is a member of the role that does"
	case "53100": // disk_full
		return "make room on the database's disk (an index needs up to half of its table), then " + again
	case "53200": // out_of_memory
		return "lower maintenance_work_mem of the role, then " + again
	case "42P07": // duplicate_table
		return "another relation has its name: rename that one, then " + again
	case "42P01", "42703": // undefined_table, undefined_column
		return `bring the schema up to date with "sark migrate", then ` + again
	case "25006": // read_only_sql_transaction
		return "this server is a replica: use the address of the primary in store.url"
	}
	return again
}
