package postgres_test

import (
	"testing"

	"go.uber.org/zap"

	"sark/internal/testkit"
	"sark/store/postgres"
	"sark/store/storetest"
)

// open opens a database, an empty one when o names none, with few connections unless o says otherwise.
func open(t testing.TB, o postgres.Options) *postgres.DB {
	t.Helper()
	if o.URL == "" {
		o.URL = testkit.Postgres(t)
	}
	if o.PoolSize == 0 {
		o.PoolSize, o.MaxOverflow = 2, 2
	}
	if o.Log == nil {
		o.Log = nop()
	}
	d, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return open(t, postgres.Options{PrePing: true}) })
}

// TestStoreBehindAPooler runs the suite without prepared statements, which a pooler in transaction mode needs.
func TestStoreBehindAPooler(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, postgres.Options{URL: withParameter(t, testkit.Postgres(t), "default_query_exec_mode", "exec")})
	})
}

func nop() *zap.Logger { return zap.NewNop() }
