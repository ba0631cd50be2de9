package postgres

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"sark/internal/audit"
)

// SQLSTATE codes and classes, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	classData       = "22"    // the value is not one of its type
	classConstraint = "23"    // the value is not one that the table takes
	codeUnique      = "23505" // unique_violation
	codeTooComplex  = "54000" // program_limit_exceeded: also a text that is too long for its index
	codeCanceled    = "57014" // query_canceled: also a COPY that pgx gave up
)

// state returns the SQLSTATE with which the server refused, or nothing when the error is not the server's.
func state(err error) string {
	if e := serverError(err); e != nil {
		return e.Code
	}
	return ""
}

func serverError(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// nameTaken reports whether a name, rather than an id that we made, exists already.
func nameTaken(err error) bool {
	e := serverError(err)
	return e != nil && e.Code == codeUnique && !strings.HasSuffix(e.ConstraintName, "_pkey")
}

// refusal is a COPY that the server refused, as opposed to one that was cut off.
type refusal struct {
	cause   error
	encoded bool // by pgx, which gives the COPY up when a value does not fit its column
}

// Error is the server's.
func (r *refusal) Error() string { return r.cause.Error() }

// Unwrap returns the server's error.
func (r *refusal) Unwrap() error { return r.cause }

// refusal tells a refused COPY from one that was cut off.
func (d *DB) refusal(err error) error {
	if serverError(err) == nil {
		return err
	}
	return &refusal{cause: err, encoded: !d.raw.Load()}
}

// forever reports whether the server refused a row for what it holds, and will do so again. Of a field in the wrong form it
// may say only that the protocol was hurt, so those are looked for.
func (r *refusal) forever(tuples [][]byte) bool {
	code := state(r.cause)
	if strings.HasPrefix(code, classData) || strings.HasPrefix(code, classConstraint) || code == codeTooComplex ||
		r.encoded && code == codeCanceled {
		return true
	}
	return slices.ContainsFunc(tuples, func(tuple []byte) bool {
		_, err := audit.DecodeTuple(tuple)
		return err != nil
	})
}
