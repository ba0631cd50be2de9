package migrations_test

import (
	"fmt"
	"os"
	"testing"

	"sark/internal/testkit"
)

func TestMain(m *testing.M) {
	stop, err := testkit.StartPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
