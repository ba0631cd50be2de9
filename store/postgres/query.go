package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// exec runs a statement of the API and returns how many rows it touched.
func (d *DB) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	c, err := d.api.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	tag, err := c.Exec(ctx, statement, storable(args)...)
	return tag.RowsAffected(), err
}

// list runs a query and reads all its rows; nil when there are none.
func list[T any](ctx context.Context, p *pool, scan pgx.RowToFunc[T], query string, args ...any) ([]T, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	rows, err := c.Query(ctx, query, storable(args)...)
	if err != nil {
		return nil, err
	}
	var items []T
	return pgx.AppendRows(items, rows, scan)
}

// queue adds a statement to a batch.
func queue(b *pgx.Batch, statement string, args ...any) { b.Queue(statement, storable(args)...) }

// storable puts texts among the arguments into a form that the database takes, as package audit does in events: NUL and
// ill-formed UTF-8 become U+FFFD. A filter is treated like what was stored, and so finds it.
func storable(args []any) []any {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			args[i] = storableText(v)
		case []string:
			clean := make([]string, len(v))
			for k, text := range v {
				clean[k] = storableText(text)
			}
			args[i] = clean
		}
	}
	return args
}

func storableText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
