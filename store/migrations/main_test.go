package migrations_test

import (
	"testing"

	"sark/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.MainWithPostgres(m)
}
