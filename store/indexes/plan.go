package indexes

import (
	"context"
	"fmt"
)

// plan says how an index stands and what it needs.
func (p *Postgres) plan(ctx context.Context, t table, x Index) (Step, error) {
	s := Step{Index: x, Shape: t.shape, State: Missing}
	e, exists, err := p.entry(ctx, t, x.Name)
	if err != nil {
		return s, err
	}
	switch {
	case !exists:
	case !e.ours(x):
		s.State = Different
		s.Trouble = fmt.Sprintf(`it is on (%s) instead of (%s): drop it with "DROP INDEX %s", then %s`, e.keys, x.Keys, e.name, again)
		return s, nil
	case e.building:
		s.State, s.Trouble = Building, "another session is building it: wait for that to end"
		return s, nil
	case e.valid:
		s.State = Present
		return s, nil
	default:
		s.State = Invalid
	}
	switch t.shape {
	case Partitioned:
		s.Statements, err = p.partitioned(ctx, t, x, e, exists)
	case Hypertable:
		// CONCURRENTLY is refused on hypertables; this locks one chunk at a time.
		s.Statements = append(drop(e, exists, ""), x.statement("", x.Name, "", t.name, " WITH (timescaledb.transaction_per_chunk)"))
	case Plain:
		s.Statements = append(drop(e, exists, "CONCURRENTLY "), x.statement("CONCURRENTLY ", x.Name, "", t.name, ""))
	}
	return s, err
}

// drop takes away what an interrupted build has left.
func drop(e entry, exists bool, concurrently string) []string {
	if !exists {
		return nil
	}
	return []string{"DROP INDEX " + concurrently + e.name}
}
