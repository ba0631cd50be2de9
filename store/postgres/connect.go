package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Connect makes one connection to the database at a URL, outside every pool and without looking at the schema, for tools of
// the operator. The server knows it by a name, as application "sark NAME". The caller closes it.
func Connect(ctx context.Context, url, name string) (*pgx.Conn, error) {
	c, err := poolConfig(Options{URL: url}, name, 1, 0)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return nil, err
	}
	return conn, prepare(ctx, conn)
}
