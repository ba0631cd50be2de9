package sqlite

import (
	"database/sql/driver"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// registerFold gives SQL the function sark_fold, once in a process. SQLite's own LIKE knows the cases of ASCII letters only,
// and so would find less than PostgreSQL does.
var registerFold = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("sark_fold", 1, fold)
})

// fold returns a text in lower case.
func fold(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	text, _ := args[0].(string)
	return strings.ToLower(text), nil
}
