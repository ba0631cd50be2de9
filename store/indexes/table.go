package indexes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// table is a table as the database has it.
type table struct {
	oid   uint32
	name  string // quoted, and qualified where it has to be
	shape Shape
}

func (p *Postgres) table(ctx context.Context, name string) (table, error) {
	t := table{shape: Plain}
	var partitioned, timescale bool
	err := p.conn.QueryRow(ctx, `SELECT oid, oid::regclass::text, relkind = 'p',
		to_regclass('timescaledb_information.hypertables') IS NOT NULL FROM pg_class WHERE oid = to_regclass($1)`, name).
		Scan(&t.oid, &t.name, &partitioned, &timescale)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, fmt.Errorf(`table %s is missing; make it with "sark migrate"`, name)
	}
	if err != nil {
		return t, fmt.Errorf("look for table %s: %w", name, err)
	}
	if partitioned {
		t.shape = Partitioned
	}
	if !timescale {
		return t, nil
	}
	var hyper bool
	err = p.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
		JOIN pg_class ON relname = hypertable_name AND relnamespace::regnamespace::text = quote_ident(hypertable_schema)
		WHERE pg_class.oid = $1)`, t.oid).Scan(&hyper)
	if err != nil {
		return t, fmt.Errorf("ask whether %s is a hypertable: %w", name, err)
	}
	if hyper {
		t.shape = Hypertable
	}
	return t, nil
}

// entry is an index as the catalog has it.
type entry struct {
	oid      uint32
	name     string // quoted, and qualified where it has to be
	valid    bool
	partial  bool
	keys     string
	building bool // by another session
}

// entry finds an index of a table by its name; ok is false when there is none.
func (p *Postgres) entry(ctx context.Context, t table, name string) (e entry, ok bool, err error) {
	var definition string
	err = p.conn.QueryRow(ctx, `SELECT indexrelid, indexrelid::regclass::text, indisvalid AND indisready, indpred IS NOT NULL,
		pg_get_indexdef(indexrelid), EXISTS (SELECT FROM pg_stat_progress_create_index b
			WHERE b.index_relid = indexrelid AND b.pid <> pg_backend_pid())
		FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = $1 AND relname = $2`, t.oid, name).
		Scan(&e.oid, &e.name, &e.valid, &e.partial, &definition, &e.building)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, false, nil
	}
	_, keys, _ := strings.Cut(definition, " (")
	keys, _, _ = strings.Cut(keys, " WHERE ")
	keys, _, _ = strings.Cut(keys, " WITH ")
	e.keys = strings.TrimSuffix(keys, ")")
	return e, err == nil, err
}

// ours tells whether an index of our name is the one that we want.
func (e entry) ours(x Index) bool { return e.keys == x.Keys && e.partial == (x.Where != "") }
