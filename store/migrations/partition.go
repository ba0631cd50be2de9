package migrations

import (
	"context"
	"embed"
	"fmt"
	"strings"
)

// DaysAhead is for how many days after today there should be a partition: for so long events find theirs while no gateway
// makes new ones. Later they go into the default one.
const DaysAhead = 7

//go:embed ensure/*.sql
var ensureFiles embed.FS

// partitionSQL is the statement that makes the plain table a partitioned one.
func partitionSQL() (string, error) {
	body, err := ensureFiles.ReadFile("ensure/partition.sql")
	if err != nil {
		return "", fmt.Errorf("read statement: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSpace(string(body)), ";"), nil
}

// partitionPlan lists the statements that give the trail native partitions, and those of the coming days.
func partitionPlan(ctx context.Context, db querier, o EnsureOptions) ([]string, error) {
	var partitioned, rows bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('audit_events') AND relkind = 'p'),
		EXISTS (SELECT FROM audit_events)`).Scan(&partitioned, &rows)
	if err != nil {
		return nil, fmt.Errorf("look at the partitions: %w", err)
	}
	if partitioned {
		return missingDays(ctx, db)
	}
	if rows && o.Empty {
		return nil, nil
	}
	convert, err := partitionSQL()
	return []string{convert}, err
}

// missingDays lists a statement for each of the coming days that has no partition.
func missingDays(ctx context.Context, db querier) ([]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT to_char(day, 'YYYY-MM-DD')
		FROM (SELECT (now() AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, $1::integer) n) AS days
		WHERE NOT EXISTS (SELECT FROM sark_audit_partitions() p WHERE p.upper > day::timestamp AT TIME ZONE 'UTC'
			AND (p.lower IS NULL OR p.lower <= day::timestamp AT TIME ZONE 'UTC')) ORDER BY 1`, DaysAhead)
	if err != nil {
		return nil, fmt.Errorf("look at the partitions: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var list []string
	for rows.Next() {
		var day string
		if err := rows.Scan(&day); err != nil {
			return nil, fmt.Errorf("look at the partitions: %w", err)
		}
		list = append(list, fmt.Sprintf("SELECT sark_audit_partition('%s')", day))
	}
	return list, rows.Err()
}
