package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
)

// checkEncoding refuses a database that cannot hold every text.
func (d *DB) checkEncoding(ctx context.Context) error {
	c, err := d.audit.acquireAny(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	var encoding string
	if err := c.QueryRow(ctx, `SELECT current_setting('server_encoding')`).Scan(&encoding); err != nil {
		return fmt.Errorf("read encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s; make one with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// checkColumns compares the table's columns with those that package audit encodes, remembers whether tuples can be copied
// as they are, and reports whether that has changed. A column that is missing is an error.
func (d *DB) checkColumns(ctx context.Context) (changed bool, err error) {
	types, err := d.columnTypes(ctx)
	if err != nil {
		return false, fmt.Errorf("read columns of audit_events: %w", err)
	}
	same := true
	for _, c := range audit.Columns() {
		got, ok := types[c.Name]
		if !ok {
			return false, fmt.Errorf("column %s of audit_events is missing", c.Name)
		}
		same = same && got == typeName(c.Type)
	}
	return d.raw.Swap(same) != same, nil
}

// columnTypes returns the names in pg_type of the table's column types, by column.
func (d *DB) columnTypes(ctx context.Context) (map[string]string, error) {
	c, err := d.audit.acquireAny(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	rows, err := c.Query(ctx, `SELECT attname::text, typname::text FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
		WHERE attrelid = 'audit_events'::regclass AND attnum > 0 AND NOT attisdropped`)
	if err != nil {
		return nil, err
	}
	types := make(map[string]string)
	var name, kind string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		types[name] = kind
		return nil
	})
	return types, err
}

// typeName is a column type's name in pg_type, where an array's begins with an underscore.
func typeName(t audit.Type) string {
	if t == audit.TypeTextArray {
		return "_text"
	}
	return string(t)
}
