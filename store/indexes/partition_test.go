package indexes_test

import (
	"database/sql"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sark/internal/testkit"
	"sark/store/indexes"
	"sark/store/migrations"
	"sark/store/storetest"
)

// TestPartitioned builds indexes of a partitioned trail: each partition's own, and the whole valid at the end.
func TestPartitioned(t *testing.T) {
	url := testkit.Postgres(t)
	migrated(t, migrations.Postgres, url)
	storetest.Partitioned(t, url, 2)
	p := open(t, url)

	ran := apply(t, p)

	want := []string{
		`CREATE INDEX idx_audit_events_user_time ON ONLY audit_events (user_id, "timestamp" DESC)`,
		`CREATE INDEX CONCURRENTLY "audit_events_default_user_time" ON audit_events_default (user_id, "timestamp" DESC)`,
		`ALTER INDEX "idx_audit_events_user_time" ATTACH PARTITION "audit_events_default_user_time"`,
		`CREATE INDEX CONCURRENTLY "audit_events_p20261123_user_time" ON audit_events_p20261123 (user_id, "timestamp" DESC)`,
		`ALTER INDEX "idx_audit_events_user_time" ATTACH PARTITION "audit_events_p20261123_user_time"`,
		`CREATE INDEX CONCURRENTLY "audit_events_p20261124_user_time" ON audit_events_p20261124 (user_id, "timestamp" DESC)`,
		`ALTER INDEX "idx_audit_events_user_time" ATTACH PARTITION "audit_events_p20261124_user_time"`,
	}
	if diff := cmp.Diff(want, ran[:min(7, len(ran))]); diff != "" {
		t.Errorf("statements of the first index (-want +got):\n%s", diff)
	}
	if len(ran) != 7*8 {
		t.Errorf("%d statements, want 7 for each of 8 indexes", len(ran))
	}
	if diff := cmp.Diff(map[string]int{"table present": 11, "partitioned table present": 8}, states(t, p)); diff != "" {
		t.Errorf("states after (-want +got):\n%s", diff)
	}
}

// TestPartitionedResumes goes on where a build was interrupted: finished partitions are kept, an invalid one is rebuilt, and
// one without an index gets it.
func TestPartitionedResumes(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	storetest.Partitioned(t, url, 2)
	exec(t, db, `CREATE INDEX idx_audit_events_user_time ON ONLY audit_events (user_id, "timestamp" DESC)`)
	exec(t, db, `CREATE INDEX audit_events_p20261123_user_time ON audit_events_p20261123 (user_id, "timestamp" DESC)`)
	exec(t, db, `ALTER INDEX idx_audit_events_user_time ATTACH PARTITION audit_events_p20261123_user_time`)
	leaveInvalid(t, db, `CREATE INDEX CONCURRENTLY audit_events_p20261124_user_time ON audit_events_p20261124 (user_id, "timestamp" DESC)`,
		"audit_events_p20261124")
	exec(t, db, `CREATE INDEX audit_events_default_user_time ON audit_events_default (user_id, "timestamp" DESC)`)
	p := open(t, url)

	ran := apply(t, p)

	end := slices.IndexFunc(ran, func(s string) bool { return strings.Contains(s, "type_time") })
	want := []string{
		`ALTER INDEX idx_audit_events_user_time ATTACH PARTITION "audit_events_default_user_time"`,
		`DROP INDEX CONCURRENTLY audit_events_p20261124_user_time`,
		`CREATE INDEX CONCURRENTLY "audit_events_p20261124_user_time" ON audit_events_p20261124 (user_id, "timestamp" DESC)`,
		`ALTER INDEX idx_audit_events_user_time ATTACH PARTITION "audit_events_p20261124_user_time"`,
	}
	if diff := cmp.Diff(want, ran[:end]); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

// TestLongPartitionName cuts the names of a partition's indexes so that they stay distinct.
func TestLongPartitionName(t *testing.T) {
	url := testkit.Postgres(t)
	db := migrated(t, migrations.Postgres, url)
	storetest.Partitioned(t, url, 0)
	exec(t, db, `CREATE TABLE "Audit events, a partition of a name that is nearly too long_" PARTITION OF audit_events
		FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`)
	p := open(t, url)
	apply(t, p)
	if diff := cmp.Diff(map[string]int{"table present": 11, "partitioned table present": 8}, states(t, p)); diff != "" {
		t.Errorf("states after (-want +got):\n%s", diff)
	}
}

// TestHypertable plans the indexes of a hypertable, builds them one chunk at a time, and sums up its chunks. PGlite, which
// runs everything in one session, ends such a build with "tuple concurrently updated": there, the planned statements are run
// without the clause that splits them.
func TestHypertable(t *testing.T) {
	url := testkit.Timescale(t)
	db := migrated(t, migrations.Postgres, url)
	hypertable(t, db)
	p := open(t, url)
	const perChunk = " WITH (timescaledb.transaction_per_chunk)"
	steps, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var planned []string
	for _, s := range steps {
		planned = append(planned, s.Statements...)
		if pglite := os.Getenv("SARK_TEST_TIMESCALE_URL") == ""; pglite {
			for i := range s.Statements {
				s.Statements[i] = strings.Replace(s.Statements[i], perChunk, "", 1)
			}
		}
		if err := p.Run(t.Context(), s, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}

	if len(planned) != 8 || planned[3] != `CREATE INDEX idx_audit_events_severity ON audit_events (severity, "timestamp" DESC)`+
		perChunk+` WHERE severity IN ('high', 'critical')` {
		t.Errorf("statements %q", planned)
	}
	if diff := cmp.Diff(map[string]int{"table present": 11, "hypertable present": 8}, states(t, p)); diff != "" {
		t.Errorf("states after (-want +got):\n%s", diff)
	}
	usage, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(usage, func(u indexes.Usage) bool { return u.Index == "idx_audit_events_severity" })
	if at < 0 || usage[at].Parts != 4 {
		t.Errorf("usage %+v: want the severity index with the hypertable's own and those of 3 chunks", usage)
	}
}

// hypertable makes the trail one of three chunks, of which the first is compressed, without its indexes.
func hypertable(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := migrations.Ensure(t.Context(), db, migrations.EnsureOptions{CompressAfter: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"2026-11-01", "2026-11-02", "2026-11-03"} {
		exec(t, db, `INSERT INTO audit_events (id, "timestamp", class_uid, event_type, severity, phase, status_code, rpc_code, success,
			duration_us, upstream_us, bytes_in, bytes_out, cost, writer_id, seq, hash)
			SELECT gen_random_uuid(), '`+day+`', 6003, 'tool_invoked', 'high', 'single', 200, 0, true, 1, 1, 1, 1, 0, gen_random_uuid(), 1, ''`)
	}
	exec(t, db, `SELECT compress_chunk(c) FROM show_chunks('audit_events', older_than => '2026-11-02'::timestamptz) c`)
	for _, x := range indexes.All() {
		if x.Table == "audit_events" {
			exec(t, db, "DROP INDEX "+x.Name)
		}
	}
}
