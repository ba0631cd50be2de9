package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
	"sark/store"
)

// fetchRows is how many events a Trail holds at once.
const fetchRows = 1000

// Trail is a view of the audit trail in a database as it was when the Trail was opened. It implements store.Trail, for one
// goroutine, and changes nothing.
type Trail struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

// OpenTrail opens the trail of a database to which gateways may be writing, by a connection of its own. The role needs no
// more than to read.
func OpenTrail(ctx context.Context, url string) (*Trail, error) {
	t := new(Trail)
	if err := t.open(ctx, url); err != nil {
		return nil, errors.Join(fmt.Errorf("open audit trail: %w", err), t.Close())
	}
	return t, nil
}

func (t *Trail) open(ctx context.Context, url string) (err error) {
	if t.conn, err = Connect(ctx, url, "verify"); err != nil {
		return err
	}
	t.tx, err = t.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	_, err = t.tx.Exec(ctx, "SELECT FROM audit_events LIMIT 1") // the first query fixes what the transaction sees
	return err
}

// Close ends the view.
func (t *Trail) Close() error {
	if t.conn == nil {
		return nil
	}
	return t.conn.Close(context.Background())
}

// Writers implements store.Trail.
func (t *Trail) Writers(ctx context.Context) ([]store.WriterState, error) {
	rows, err := t.tx.Query(ctx, `SELECT writer_id, max(n), max(last_seq) FROM (
			SELECT writer_id, count(*) AS n, 0 AS last_seq FROM audit_events GROUP BY writer_id
			UNION ALL SELECT DISTINCT writer_id, 0, 0 FROM audit_digests
			UNION ALL SELECT writer_id, 0, last_seq FROM audit_writer_offset) AS writers
		GROUP BY writer_id`)
	if err != nil {
		return nil, fmt.Errorf("list writers: %w", err)
	}
	writers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l store.WriterState, err error) {
		err = row.Scan(&l.Writer, &l.Events, &l.Offset)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("list writers: %w", err)
	}
	return writers, nil
}

// Digests implements store.Trail.
func (t *Trail) Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	rows, err := t.tx.Query(ctx, selectDigests, writer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("query digests: %w", err)
	}
	digests, err := pgx.CollectRows(rows, scanDigest)
	if err != nil {
		return nil, fmt.Errorf("query digests: %w", err)
	}
	return digests, nil
}

// RetentionMarks implements store.Trail.
func (t *Trail) RetentionMarks(ctx context.Context) ([]store.RetentionMark, error) {
	rows, err := t.tx.Query(ctx, "SELECT cutoff, rule, created_at, key_id, signature FROM audit_retention ORDER BY cutoff")
	if err != nil {
		return nil, fmt.Errorf("query retention marks: %w", err)
	}
	marks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.RetentionMark])
	if err != nil {
		return nil, fmt.Errorf("query retention marks: %w", err)
	}
	return marks, nil
}

// Events implements store.Trail. A cursor brings the rows in slices, so that digests can be read in between.
func (t *Trail) Events(ctx context.Context, span store.Span) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		if err := t.read(ctx, span, yield); err != nil {
			yield(store.Row{}, fmt.Errorf("read events of writer %s: %w", span.Writer, err))
		}
	}
}

func (t *Trail) read(ctx context.Context, span store.Span, yield func(store.Row, error) bool) (err error) {
	if _, err := t.tx.Exec(ctx, declareSpan(), pgx.QueryExecModeExec, span.Writer, span.First, span.Last); err != nil {
		return err
	}
	defer func() {
		_, closeErr := t.tx.Exec(ctx, "CLOSE trail")
		err = errors.Join(err, closeErr)
	}()
	for {
		rows, err := t.fetch(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			if !yield(row, nil) {
				return nil
			}
		}
	}
}

// declareSpan reads events of a writer by their numbers, in the order of the index: the server sorts nothing.
func declareSpan() string {
	return "DECLARE trail NO SCROLL CURSOR FOR " + selectEvents + " WHERE writer_id = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq"
}

// fetch reads the next slice of rows, whole, so that the connection is free while they are looked at.
func (t *Trail) fetch(ctx context.Context) ([]store.Row, error) {
	var rows []store.Row
	err := readTuples(ctx, t.conn, fmt.Sprintf("FETCH %d FROM trail", fetchRows), nil, func(fields *audit.Fields) error {
		var row store.Row
		if row.Tuple, row.Damage = audit.JoinTuple(nil, fields); row.Damage == nil {
			_, row.Seq, _, row.Damage = audit.Place(row.Tuple)
		}
		if row.Damage != nil {
			row.Seq = int64(binary.BigEndian.Uint64(fields[audit.ColumnCount-2])) //nolint:gosec // two's complement on purpose
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}
