package storetest_test

import (
	"os"
	"testing"

	"sark/internal/testkit"
)

// TestMain also is the gateway of the upgrade test.
func TestMain(m *testing.M) {
	if task := os.Getenv(taskVariable); task != "" {
		perform(task)
	}
	testkit.MainWithPostgres(m)
}
