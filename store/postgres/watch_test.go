package postgres_test

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// watch is a tracer that keeps each statement once, with the arguments of its first call.
type watch struct {
	mu   sync.Mutex // guards seen
	seen map[string][]any
}

func (w *watch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	w.add(d.SQL, d.Args)
	return ctx
}

func (w *watch) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (w *watch) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		w.add(q.SQL, q.Arguments)
	}
	return ctx
}

func (w *watch) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (w *watch) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// add keeps a statement without what only says how it is sent.
func (w *watch) add(sql string, args []any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[sql] != nil {
		return
	}
	kept := []any{}
	for _, a := range args {
		switch a.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats:
		default:
			kept = append(kept, a)
		}
	}
	w.seen[sql] = kept
}
