package indexes

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// part is a partition, as far as one index goes.
type part struct {
	name     string // quoted, and qualified where it has to be
	bare     string // neither
	attached bool   // it has an index that is part of the table's
	left     string // an index of the name that we give, not attached; empty: none
	valid    bool   // of either
}

// partitioned builds an index that all partitions have before the table can have it: an empty frame on the table, the index
// of each partition while that stays writable, and each put into the frame; the last one makes the whole valid. What an
// interrupted build has finished is kept. A partition that is made in between gets its index from the frame.
func (p *Postgres) partitioned(ctx context.Context, t table, x Index, e entry, exists bool) ([]string, error) {
	parts, err := p.parts(ctx, t, x, e.oid)
	if err != nil {
		return nil, fmt.Errorf("list partitions of %s: %w", t.name, err)
	}
	var statements []string
	if exists && !resumable(parts) {
		statements = append(statements, "DROP INDEX "+e.name) // takes those of the partitions along
		exists = false
		for i := range parts {
			parts[i].attached = false
		}
	}
	frame := e.name
	if !exists {
		statements = append(statements, x.statement("", x.Name, "ONLY ", t.name, ""))
		frame = qualify(t.name, x.Name)
	}
	for _, part := range parts {
		statements = append(statements, part.statements(x, frame)...)
	}
	return statements, nil
}

// resumable tells whether attaching what is missing will make the whole valid. A broken index that is attached already never
// will, and neither will a frame that is full and yet invalid.
func resumable(parts []part) bool {
	open := false
	for _, p := range parts {
		if p.attached && !p.valid {
			return false
		}
		open = open || !p.attached
	}
	return open
}

func (p part) statements(x Index, frame string) []string {
	if p.attached {
		return nil
	}
	name := partName(p.bare, x)
	index := qualify(p.name, name)
	var list []string
	if p.left != "" && !p.valid {
		list = append(list, "DROP INDEX CONCURRENTLY "+p.left)
	}
	if p.left == "" || !p.valid {
		list = append(list, x.statement("CONCURRENTLY ", pgx.Identifier{name}.Sanitize(), "", p.name, ""))
	}
	return append(list, "ALTER INDEX "+frame+" ATTACH PARTITION "+index)
}

// parts lists the partitions, oldest name first. The frame's oid is 0 when there is no frame.
func (p *Postgres) parts(ctx context.Context, t table, x Index, frame uint32) ([]part, error) {
	rows, err := p.conn.Query(ctx, `SELECT c.oid::regclass::text, c.relname,
			coalesce(i.indexrelid::regclass::text, ''), coalesce(i.name, ''), coalesce(i.valid, false), coalesce(i.attached, false)
		FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
		LEFT JOIN LATERAL (SELECT indexrelid, relname::text AS name, indisvalid AND indisready AS valid,
				EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid AND inhparent = $2) AS attached
			FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = c.oid) i ON true
		WHERE inhparent = $1 ORDER BY c.relname`, t.oid, frame)
	if err != nil {
		return nil, err
	}
	var parts []part
	var name, bare, index, indexName string
	var valid, attached bool
	_, err = pgx.ForEachRow(rows, []any{&name, &bare, &index, &indexName, &valid, &attached}, func() error {
		if len(parts) == 0 || parts[len(parts)-1].bare != bare {
			parts = append(parts, part{name: name, bare: bare})
		}
		last := &parts[len(parts)-1]
		switch {
		case attached:
			last.attached, last.valid = true, valid
		case indexName == partName(bare, x) && !last.attached:
			last.left, last.valid = index, valid
		}
		return nil
	})
	return parts, err
}

// maxName is the length in bytes to which PostgreSQL cuts names.
const maxName = 63

// partName is the name of an index of a partition: the partition's and what tells the index from others of its table.
func partName(partition string, x Index) string {
	name := partition + "_" + strings.TrimPrefix(strings.TrimPrefix(x.Name, "idx_"), x.Table+"_")
	if len(name) <= maxName {
		return name
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // never fails
	return fmt.Sprintf("%s_%08x", strings.ToValidUTF8(name[:maxName-9], ""), sum.Sum32())
}

// qualify gives an index the schema of its table, where that has to be named.
func qualify(table, index string) string {
	quoted := pgx.Identifier{index}.Sanitize()
	if schema, _, found := strings.Cut(table, "."); found {
		return schema + "." + quoted
	}
	return quoted
}
