package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
)

// echo logs each acquire and release of a connection at debug: what POSTGRES_ECHO_POOL asks for.
type echo struct {
	log  *zap.Logger
	pool string
}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (e echo) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return ctx
}

// TraceAcquireEnd implements pgxpool.AcquireTracer.
func (e echo) TraceAcquireEnd(_ context.Context, _ *pgxpool.Pool, d pgxpool.TraceAcquireEndData) {
	if d.Err != nil {
		e.log.Debug("no connection acquired", zap.String("pool", e.pool), zap.Error(d.Err))
		return
	}
	e.log.Debug("connection acquired", zap.String("pool", e.pool), zap.Uint32("backend", d.Conn.PgConn().PID()))
}

// TraceRelease implements pgxpool.ReleaseTracer.
func (e echo) TraceRelease(_ *pgxpool.Pool, d pgxpool.TraceReleaseData) {
	e.log.Debug("connection released", zap.String("pool", e.pool), zap.Uint32("backend", d.Conn.PgConn().PID()))
}

// TraceQueryStart implements pgx.QueryTracer, which every tracer must be; queries are measured elsewhere.
func (e echo) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (e echo) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
