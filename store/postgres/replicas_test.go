package postgres_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"sark/internal/testkit"
	"sark/store/postgres"
	"sark/store/sqlite"
	"sark/store/storetest"
)

// TestReplicasRace runs two gateways' stores on one database.
func TestReplicasRace(t *testing.T) {
	url := testkit.Postgres(t)
	storetest.Race(t, [2]storetest.Store{open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})})
}

// TestDatabasesAnswerAlike makes the same calls to both databases.
func TestDatabasesAnswerAlike(t *testing.T) {
	for seed := range uint64(4) {
		embedded, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "sark.db"), Log: zap.NewNop(), Now: clock()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := embedded.Close(); err != nil {
				t.Error(err)
			}
		})
		storetest.Compare(t, seed, embedded, open(t, postgres.Options{Now: clock()}))
	}
}

// clock goes a millisecond with every second question, so that some servers have the same time.
func clock() func() time.Time {
	n := 0
	return func() time.Time {
		n++
		return storetest.Epoch.Add(time.Duration(n/2) * time.Millisecond)
	}
}
