package indexes

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Usage is how much an index was used since the database began to count, over all partitions or chunks of its table.
type Usage struct {
	Table         string `json:"table"`
	Index         string `json:"index"`
	Scans         int64  `json:"scans"`
	TuplesRead    int64  `json:"tuples_read"`
	TuplesFetched int64  `json:"tuples_fetched"`
	Bytes         int64  `json:"bytes"`      // on disk
	Parts         int64  `json:"parts"`      // indexes of partitions or chunks that are summed up here; 1 for a plain table
	Constraint    bool   `json:"constraint"` // it keeps rows unique, which no count of scans tells
	Serves        string `json:"serves,omitempty"`
}

// selectUsage sums up an index over the tables that inherit from its own, as partitions and chunks do. There, it is the index
// of the same keys that has a condition when it has one: a chunk's condition is spelled in another way.
const selectUsage = `WITH RECURSIVE tree (root, rel) AS (
		SELECT oid, oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = current_schema()::regnamespace
		UNION ALL SELECT root, inhrelid FROM tree JOIN pg_inherits ON inhparent = rel),
	part AS (SELECT root, indexrelid, indpred IS NULL AS whole,
		split_part(split_part(pg_get_indexdef(indexrelid), ' USING ', 2), ' WHERE ', 1) AS keys FROM tree JOIN pg_index ON indrelid = rel)
	SELECT x.indrelid::regclass::text, c.relname, coalesce(sum(s.idx_scan), 0)::bigint, coalesce(sum(s.idx_tup_read), 0)::bigint,
		coalesce(sum(s.idx_tup_fetch), 0)::bigint, coalesce(sum(pg_relation_size(s.indexrelid)), 0)::bigint, count(s.indexrelid),
		x.indisunique OR x.indisexclusion OR EXISTS (SELECT FROM pg_constraint WHERE conindid = x.indexrelid)
	FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
	JOIN part ON part.root = x.indrelid AND part.whole = (x.indpred IS NULL)
		AND part.keys = split_part(split_part(pg_get_indexdef(x.indexrelid), ' USING ', 2), ' WHERE ', 1)
	LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = part.indexrelid
	GROUP BY x.indexrelid, x.indrelid, c.relname, x.indisunique, x.indisexclusion
	ORDER BY 3 DESC, 6 DESC, 2`

// Usage lists the indexes of the schema, most used first.
func (p *Postgres) Usage(ctx context.Context) ([]Usage, error) {
	rows, err := p.conn.Query(ctx, selectUsage)
	if err != nil {
		return nil, fmt.Errorf("read index usage: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u Usage, err error) {
		err = row.Scan(&u.Table, &u.Index, &u.Scans, &u.TuplesRead, &u.TuplesFetched, &u.Bytes, &u.Parts, &u.Constraint)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("read index usage: %w", err)
	}
	for i := range list {
		list[i].Serves = serves(list[i].Index)
	}
	return list, nil
}

// Unused lists the indexes that were never scanned, largest first, without those that keep rows unique.
func Unused(all []Usage) []Usage {
	var unused []Usage
	for _, u := range all {
		if u.Scans == 0 && !u.Constraint {
			unused = append(unused, u)
		}
	}
	return unused
}

// Counting is for how long the database has counted, and whether that is known: a database whose counters were never reset
// does not say since when.
func (p *Postgres) Counting(ctx context.Context) (since time.Time, known bool, err error) {
	var reset *time.Time
	if err := p.conn.QueryRow(ctx, `SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()`).Scan(&reset); err != nil {
		return time.Time{}, false, fmt.Errorf("read the age of the statistics: %w", err)
	}
	if reset == nil {
		return time.Time{}, false, nil
	}
	return *reset, true, nil
}

func serves(name string) string {
	for _, x := range All() {
		if x.Name == name {
			return x.Serves
		}
	}
	return ""
}
