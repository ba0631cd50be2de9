package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// Trail is a view of the audit trail in a file as it was when the Trail was opened. It implements store.Trail, for one
// goroutine, and changes nothing in the file.
type Trail struct {
	db   *sql.DB
	tx   *sql.Tx
	rows int64
}

// OpenTrail opens a file that a gateway has made, and may be writing to.
func OpenTrail(ctx context.Context, path string) (*Trail, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open audit trail: %w", err)
	}
	t := new(Trail)
	if err := t.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open audit trail %s: %w", path, err), t.Close())
	}
	return t, nil
}

func (t *Trail) open(ctx context.Context, path string) (err error) {
	if t.db, err = sql.Open("sqlite", trailDSN(path)); err != nil {
		return err
	}
	t.db.SetMaxOpenConns(1)
	if t.tx, err = t.db.BeginTx(ctx, nil); err != nil {
		return err
	}
	// The first query fixes what the transaction sees.
	return t.tx.QueryRowContext(ctx, "SELECT coalesce(max(rowid), 0) FROM audit_events").Scan(&t.rows)
}

// trailDSN opens for reading only. What has to be sorted is sorted in a file, since it may be larger than memory.
func trailDSN(path string) string {
	query := url.Values{"mode": {"ro"}, "_pragma": {
		"query_only(1)", "temp_store(file)", "cache_size(-16384)", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
	}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

// Close ends the view, which the end of the context of OpenTrail may have done before.
func (t *Trail) Close() error {
	var errs []error
	if t.tx != nil {
		if err := t.tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
			errs = append(errs, err)
		}
	}
	if t.db != nil {
		errs = append(errs, t.db.Close())
	}
	return errors.Join(errs...)
}

// Writers implements store.Trail.
func (t *Trail) Writers(ctx context.Context) ([]store.WriterState, error) {
	rows, err := t.tx.QueryContext(ctx, `SELECT writer_id, max(n), max(last_seq) FROM (
			SELECT writer_id, count(*) AS n, 0 AS last_seq FROM audit_events GROUP BY writer_id
			UNION ALL SELECT DISTINCT writer_id, 0, 0 FROM audit_digests
			UNION ALL SELECT writer_id, 0, last_seq FROM audit_writer_offset)
		GROUP BY writer_id`)
	if err != nil {
		return nil, fmt.Errorf("list writers: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var writers []store.WriterState
	for rows.Next() {
		var l store.WriterState
		var writer []byte
		if err := rows.Scan(&writer, &l.Events, &l.Offset); err != nil {
			return nil, fmt.Errorf("list writers: %w", err)
		}
		if l.Writer, err = uuid.FromBytes(writer); err != nil {
			l.Foreign = hex.EncodeToString(writer)
		}
		writers = append(writers, l)
	}
	return writers, rows.Err()
}

// Digests implements store.Trail.
func (t *Trail) Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	return queryDigests(ctx, t.tx, writer, after, limit)
}

// RetentionMarks implements store.Trail.
func (t *Trail) RetentionMarks(ctx context.Context) ([]store.RetentionMark, error) {
	rows, err := t.tx.QueryContext(ctx, "SELECT cutoff, rule, created_at, key_id, signature FROM audit_retention ORDER BY cutoff")
	if err != nil {
		return nil, fmt.Errorf("query retention marks: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var marks []store.RetentionMark
	for rows.Next() {
		var m store.RetentionMark
		var cutoff, created int64
		if err := rows.Scan(&cutoff, &m.Rule, &created, &m.KeyID, &m.Signature); err != nil {
			return nil, fmt.Errorf("query retention marks: %w", err)
		}
		m.Cutoff, m.CreatedAt = time.UnixMicro(cutoff).UTC(), time.UnixMicro(created).UTC()
		marks = append(marks, m)
	}
	return marks, rows.Err()
}

// Events implements store.Trail. The index by number gives the order, and the rows are looked up one by one, mostly in the
// order in which they lie in the file.
func (t *Trail) Events(ctx context.Context, span store.Span) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		if err := t.read(ctx, span, yield); err != nil {
			yield(store.Row{}, fmt.Errorf("read events of writer %s: %w", span.Writer, err))
		}
	}
}

func (t *Trail) read(ctx context.Context, span store.Span, yield func(store.Row, error) bool) error {
	rows, err := t.tx.QueryContext(ctx, selectSpan(), span.Writer[:], span.First, span.Last)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	reader := newTupleReader()
	for rows.Next() {
		if err := rows.Scan(reader.targets...); err != nil {
			return err
		}
		if !yield(reader.row(), nil) {
			return nil
		}
	}
	return rows.Err()
}

// selectSpan reads events of a writer by their numbers.
func selectSpan() string {
	return "SELECT " + columnList() + ` FROM audit_events WHERE writer_id = ? AND seq BETWEEN ? AND ? ORDER BY seq, rowid`
}

// tupleReader makes tuples of rows.
type tupleReader struct {
	columns []audit.Column
	values  []any
	targets []any
	tuple   []byte
}

func newTupleReader() *tupleReader {
	r := &tupleReader{columns: audit.Columns()}
	r.values, r.targets = make([]any, len(r.columns)), make([]any, len(r.columns))
	for i := range r.values {
		r.targets[i] = &r.values[i]
	}
	return r
}

// row makes the tuple of the row that was scanned.
func (r *tupleReader) row() store.Row {
	row := store.Row{}
	row.Seq, _ = r.values[len(r.values)-2].(int64) // it was selected by its number
	var fields audit.Fields
	for i, c := range r.columns {
		f, err := exactField(c.Type, r.values[i])
		if err != nil {
			row.Damage = fmt.Errorf("column %s: %w", c.Name, err)
			return row
		}
		fields[i] = f
	}
	if r.tuple, row.Damage = audit.JoinTuple(r.tuple[:0], &fields); row.Damage == nil {
		_, _, _, row.Damage = audit.Place(r.tuple)
	}
	row.Tuple = r.tuple
	return row
}

// exactField is field, and refuses a value that bind would not have written: one of another type, another spelling of the
// same address or list, a number out of range. It would pass as unchanged.
func exactField(t audit.Type, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	if !native(t, value) {
		return nil, fmt.Errorf("holds a %T", value)
	}
	f, err := field(t, value)
	if err != nil {
		return nil, err
	}
	switch t {
	case audit.TypeUUID, audit.TypeBytea, audit.TypeText, audit.TypeInt8, audit.TypeFloat8:
		return f, nil // kept as they are
	case audit.TypeTimestamp, audit.TypeInt4, audit.TypeBool, audit.TypeTextArray, audit.TypeJSONB, audit.TypeInet:
	}
	again, err := bind(t, f)
	if err != nil {
		return nil, err
	}
	if again != value {
		return nil, fmt.Errorf("holds %v, which no gateway has written", value)
	}
	return f, nil
}

// native reports whether a value is of the type in which bind keeps a column.
func native(t audit.Type, value any) (ok bool) {
	switch t {
	case audit.TypeUUID, audit.TypeBytea:
		_, ok = value.([]byte)
	case audit.TypeTimestamp, audit.TypeInt4, audit.TypeInt8, audit.TypeBool:
		_, ok = value.(int64)
	case audit.TypeFloat8:
		_, ok = value.(float64)
	case audit.TypeText, audit.TypeTextArray, audit.TypeJSONB, audit.TypeInet:
		_, ok = value.(string)
	}
	return ok
}
