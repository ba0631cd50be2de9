package siem_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"sark/internal/testkit"
)

// TestMain also is the process that the crash test kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		sendUntilKilled(dir, os.Getenv(crashAddress))
	}
	stop, err := testkit.StartPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
