package testkit

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// MainWithPostgres is the TestMain of a package whose tests want PostgreSQL: it
// starts a server (see StartPostgres), runs the tests, fails when they leave
// goroutines behind, and stops the server. It does not return.
func MainWithPostgres(m *testing.M, leaks ...goleak.Option) {
	stop, err := StartPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, append(leaks, goleak.Cleanup(func(code int) {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))...)
}
