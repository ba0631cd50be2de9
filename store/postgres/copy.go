package postgres

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"sark/internal/audit"
)

// The frame of PostgreSQL's binary COPY format: signature, flags and the length of no extension before the tuples, a field
// count of -1 after them. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyTrailer = "\xff\xff"
)

// copyEvents stores tuples as they are: the spool keeps them in the form that the server reads. Those of an earlier format, as
// a gateway finds them in its spool after an upgrade, are copied into the columns of that format. When the table's columns have
// other types than ours they are decoded, and encoded again by pgx for the types that it finds.
func (d *DB) copyEvents(ctx context.Context, c *pgx.Conn, tuples [][]byte) error {
	if !d.raw.Load() {
		return copyValues(ctx, c, tuples)
	}
	for len(tuples) > 0 {
		format, n := audit.TupleFormat(tuples[0]), 1
		for n < len(tuples) && audit.TupleFormat(tuples[n]) == format {
			n++
		}
		if err := copyRaw(ctx, c, format, tuples[:n]); err != nil {
			return err
		}
		tuples = tuples[n:]
	}
	return nil
}

// copyRaw stores tuples of one format.
func copyRaw(ctx context.Context, c *pgx.Conn, format int32, tuples [][]byte) error {
	stream := &copyStream{tuples: tuples}
	defer stream.end()
	_, err := c.PgConn().CopyFrom(ctx, stream, copyStatement(format))
	return err
}

func copyValues(ctx context.Context, c *pgx.Conn, tuples [][]byte) error {
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

// copyStatement is the statement of AppendEvents for tuples of a format.
func copyStatement(format int32) string {
	return "COPY audit_events (" + columnList(audit.FormatColumns(format), "") + ") FROM STDIN WITH (FORMAT binary)"
}

// columnList lists columns, each followed by a suffix in which %s is its type.
func columnList(columns []audit.Column, suffix string) string {
	var list []string
	for _, c := range columns {
		name := `"` + c.Name + `"`
		if suffix != "" {
			name += fmt.Sprintf(suffix, c.Type)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// copyStream reads as the binary COPY of tuples. Its end is waited for: on a lost connection CopyFrom of pgx returns while
// its goroutine still reads, and the tuples belong to whoever gave them from then on.
type copyStream struct {
	mu      sync.Mutex // guards all below
	ended   bool
	tuples  [][]byte
	next    int    // of the tuples; one past the last: the trailer
	rest    []byte // what is left of the piece that was begun
	started bool
}

// Read implements io.Reader.
func (s *copyStream) Read(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, io.ErrClosedPipe
	}
	for n < len(p) {
		if len(s.rest) == 0 && !s.advance() {
			return n, io.EOF
		}
		k := copy(p[n:], s.rest)
		n, s.rest = n+k, s.rest[k:]
	}
	return n, nil
}

// end returns when no read is under way, and lets none begin.
func (s *copyStream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
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
