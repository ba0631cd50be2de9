package siem_test

import (
	"os"
	"testing"

	"sark/internal/testkit"
)

// TestMain also is the process that the crash test kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		sendUntilKilled(dir, os.Getenv(crashAddress))
	}
	testkit.MainWithPostgres(m)
}
