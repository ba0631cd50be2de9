package postgres

import (
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sark/store"
)

// Live is what a pool really runs with, for the test that finds every setting in it.
type Live struct {
	Config  *pgxpool.Config
	Timeout time.Duration
}

// API and Audit show the pools.
func (d *DB) API() Live   { return Live{d.api.Config(), d.api.timeout} }
func (d *DB) Audit() Live { return Live{d.audit.Config(), d.audit.timeout} }

// CopiesTuples reports whether tuples are stored as they are.
func (d *DB) CopiesTuples() bool { return d.raw.Load() }

// Traced makes a store tell a tracer of its statements.
func Traced(o Options, t pgx.QueryTracer) Options {
	o.tracer = t
	return o
}

// RollupQuery is the statement of Rollups, where the gateways count, and its arguments.
func RollupQuery(f store.RollupFilter) (string, []any) { return rollupQuery(f, false) }

// SpanQuery is the statement by which a Trail reads events of a writer; its arguments are writer, first and last number.
func SpanQuery() string { return declareSpan() }

// CopyBytes is what the server is sent for tuples.
func CopyBytes(tuples [][]byte) io.Reader { return &copyStream{tuples: tuples} }
