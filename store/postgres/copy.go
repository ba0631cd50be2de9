package postgres

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
)

// The frame of PostgreSQL's binary COPY format: signature, flags and the length of no extension before the tuples, a field
// count of -1 after them. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyTrailer = "\xff\xff"
)

// copyEvents stores tuples as they are: the spool keeps them in the form that the server reads. When the table's columns
// have other types than ours they are decoded, and encoded again by pgx for the types that it finds.
func (d *DB) copyEvents(ctx context.Context, c *pgx.Conn, tuples [][]byte) error {
	if len(tuples) == 0 {
		return nil
	}
	if d.raw.Load() {
		_, err := c.PgConn().CopyFrom(ctx, &copyStream{tuples: tuples}, copyStatement)
		return err
	}
	columns := audit.Columns()
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	_, err := c.CopyFrom(ctx, pgx.Identifier{"audit_events"}, names, pgx.CopyFromSlice(len(tuples), func(i int) ([]any, error) {
		return tupleValues(columns, tuples[i])
	}))
	return err
}

// copyStatement is the statement of AppendEvents.
var copyStatement = "COPY audit_events (" + columnList("") + ") FROM STDIN WITH (FORMAT binary)"

// columnList lists the audit columns, each followed by a suffix in which %s is its type.
func columnList(suffix string) string {
	var list []string
	for _, c := range audit.Columns() {
		name := `"` + c.Name + `"`
		if suffix != "" {
			name += fmt.Sprintf(suffix, c.Type)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// copyStream reads as the binary COPY of tuples. It allocates nothing.
type copyStream struct {
	tuples  [][]byte
	next    int    // of the tuples; one past the last: the trailer
	rest    []byte // what is left of the piece that was begun
	started bool
}

// Read implements io.Reader.
func (s *copyStream) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(s.rest) == 0 && !s.advance() {
			return n, io.EOF
		}
		k := copy(p[n:], s.rest)
		n, s.rest = n+k, s.rest[k:]
	}
	return n, nil
}

// advance takes up the next piece: header, each tuple, trailer.
func (s *copyStream) advance() bool {
	switch {
	case !s.started:
		s.started, s.rest = true, []byte(copyHeader)
	case s.next < len(s.tuples):
		s.rest = s.tuples[s.next]
		s.next++
	case s.next == len(s.tuples):
		s.rest = []byte(copyTrailer)
		s.next++
	default:
		return false
	}
	return true
}
