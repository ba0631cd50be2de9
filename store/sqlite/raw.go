package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// raw is a connection to SQLite by its C interface (https://www.sqlite.org/c3ref/intro.html), below database/sql and its
// driver. It exists for the one statement that is executed for every event: through database/sql, boxing, copying, naming and
// unbinding the 59 values of a row took longer than storing them. Everything else goes through database/sql.
//
// It is for one goroutine at a time. Memory that is handed to SQLite is SQLite's own, never Go's.
type raw struct {
	tls *libc.TLS
	db  uintptr // sqlite3*
}

// rawStatement is a prepared statement of a raw connection (sqlite3_stmt*).
type rawStatement struct {
	r      *raw
	handle uintptr
}

// rawError is an error of SQLite that came by a raw connection.
type rawError struct {
	code int // extended
	text string
}

func (e *rawError) Error() string { return fmt.Sprintf("%s (%d)", e.text, e.code) }

// openRaw opens a file that exists.
func openRaw(path string) (*raw, error) {
	r := &raw{tls: libc.NewTLS()}
	name, err := r.text(path)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	defer r.free(name)
	handle, err := r.alloc(pointerSize)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	defer r.free(handle)
	const flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE
	code := sqlite3.Xsqlite3_open_v2(r.tls, name, handle, flags, 0)
	r.db = libc.AtomicLoadPUintptr(handle)
	if code != sqlite3.SQLITE_OK {
		return nil, errors.Join(r.error(code), r.close())
	}
	return r, nil
}

// pointerSize is that of the largest pointer.
const pointerSize = 8

func (r *raw) close() error {
	code := sqlite3.Xsqlite3_close_v2(r.tls, r.db) // of no database it does nothing
	r.tls.Close()
	r.tls = nil
	if code != sqlite3.SQLITE_OK {
		return &rawError{int(code), "close"}
	}
	return nil
}

// begin starts a transaction that writes. While another process is writing, it waits as a connection of the driver does, and
// no longer than ctx.
func (r *raw) begin(ctx context.Context) error {
	const first, last = time.Millisecond, 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for pause := first; ; pause = min(2*pause, last) {
		err := r.exec("BEGIN IMMEDIATE")
		if code(err)&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// rollback ends a transaction that has failed. SQLite has ended it already after some errors, a full disk for example.
func (r *raw) rollback() error {
	if sqlite3.Xsqlite3_get_autocommit(r.tls, r.db) != 0 {
		return nil
	}
	return r.exec("ROLLBACK")
}

// exec executes statements that have no parameters.
func (r *raw) exec(query string) error {
	q, err := r.text(query)
	if err != nil {
		return err
	}
	defer r.free(q)
	if code := sqlite3.Xsqlite3_exec(r.tls, r.db, q, 0, 0, 0); code != sqlite3.SQLITE_OK {
		return r.error(code)
	}
	return nil
}

// change executes a statement once and reports how many rows it has changed. Its arguments are int64, string and []byte.
func (r *raw) change(query string, args ...any) (int, error) {
	s, err := r.prepare(query)
	if err != nil {
		return 0, err
	}
	defer s.close()
	for i, arg := range args {
		if err := s.bindCopy(i, arg); err != nil {
			return 0, err
		}
	}
	if err := s.run(); err != nil {
		return 0, err
	}
	return int(sqlite3.Xsqlite3_changes(r.tls, r.db)), nil
}

// prepare compiles a statement, for as long as the connection if need be.
func (r *raw) prepare(query string) (*rawStatement, error) {
	q, err := r.text(query)
	if err != nil {
		return nil, err
	}
	defer r.free(q)
	handle, err := r.alloc(pointerSize)
	if err != nil {
		return nil, err
	}
	defer r.free(handle)
	code := sqlite3.Xsqlite3_prepare_v3(r.tls, r.db, q, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, handle, 0)
	if code != sqlite3.SQLITE_OK {
		return nil, r.error(code)
	}
	return &rawStatement{r, libc.AtomicLoadPUintptr(handle)}, nil
}

func (s *rawStatement) close() { sqlite3.Xsqlite3_finalize(s.r.tls, s.handle) } // its code repeats that of the last run

// run executes a statement to its end and makes it ready for the next time. Its values stay bound.
func (s *rawStatement) run() error {
	code := sqlite3.Xsqlite3_step(s.r.tls, s.handle)
	var err error
	if code != sqlite3.SQLITE_DONE {
		err = s.r.error(code)
	}
	sqlite3.Xsqlite3_reset(s.r.tls, s.handle)
	return err
}

func (s *rawStatement) bindNull(column int) error {
	return s.bound(sqlite3.Xsqlite3_bind_null(s.r.tls, s.handle, int32(column)+1)) //nolint:gosec // a column's place
}

func (s *rawStatement) bindInt(column int, v int64) error {
	return s.bound(sqlite3.Xsqlite3_bind_int64(s.r.tls, s.handle, int32(column)+1, v)) //nolint:gosec // a column's place
}

func (s *rawStatement) bindFloat(column int, v float64) error {
	return s.bound(sqlite3.Xsqlite3_bind_double(s.r.tls, s.handle, int32(column)+1, v)) //nolint:gosec // a column's place
}

// bindText binds n bytes of SQLite's memory, which stay as they are until another value is bound.
func (s *rawStatement) bindText(column int, at uintptr, n int) error {
	return s.bound(sqlite3.Xsqlite3_bind_text(s.r.tls, s.handle, int32(column)+1, at, int32(n), 0)) //nolint:gosec // fits in a tuple
}

// bindBlob is bindText for bytes that are no text.
func (s *rawStatement) bindBlob(column int, at uintptr, n int) error {
	return s.bound(sqlite3.Xsqlite3_bind_blob(s.r.tls, s.handle, int32(column)+1, at, int32(n), 0)) //nolint:gosec // fits in a tuple
}

// bindCopy binds a value of which SQLite keeps a copy.
func (s *rawStatement) bindCopy(column int, value any) error {
	r := s.r
	switch v := value.(type) {
	case int64:
		return s.bindInt(column, v)
	case string:
		p, err := r.text(v)
		if err != nil {
			return err
		}
		defer r.free(p)
		n := int32(len(v))                                                                                           //nolint:gosec // a short text
		return s.bound(sqlite3.Xsqlite3_bind_text(r.tls, s.handle, int32(column)+1, p, n, sqlite3.SQLITE_TRANSIENT)) //nolint:gosec // a column's place
	case []byte:
		p, err := r.text(string(v))
		if err != nil {
			return err
		}
		defer r.free(p)
		n := int32(len(v))                                                                                           //nolint:gosec // a short blob
		return s.bound(sqlite3.Xsqlite3_bind_blob(r.tls, s.handle, int32(column)+1, p, n, sqlite3.SQLITE_TRANSIENT)) //nolint:gosec // a column's place
	}
	return fmt.Errorf("BUG: a %T cannot be bound", value)
}

func (s *rawStatement) bound(code int32) error {
	if code == sqlite3.SQLITE_OK {
		return nil
	}
	return s.r.error(code)
}

// text copies s into SQLite's memory, with a NUL after it.
func (r *raw) text(s string) (uintptr, error) {
	p, err := r.alloc(len(s) + 1)
	if err != nil {
		return 0, err
	}
	b := libc.GoBytes(p, len(s)+1)
	b[copy(b, s)] = 0
	return p, nil
}

// alloc takes n bytes of SQLite's memory, to be freed.
func (r *raw) alloc(n int) (uintptr, error) {
	p := sqlite3.Xsqlite3_malloc64(r.tls, sqlite3.Tsqlite3_uint64(n)) //nolint:gosec // a length
	if p == 0 {
		return 0, fmt.Errorf("sqlite has no %d bytes of memory", n)
	}
	return p, nil
}

func (r *raw) free(p uintptr) { sqlite3.Xsqlite3_free(r.tls, p) }

// error is what SQLite says of a code that it has just returned.
func (r *raw) error(code int32) error {
	if r.db == 0 {
		return &rawError{int(code), "no connection"}
	}
	return &rawError{int(code), libc.GoString(sqlite3.Xsqlite3_errmsg(r.tls, r.db))}
}
