package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sark/store"
)

// Servers returns a page of the registry, newest first unless f says otherwise, without tools. A filter that could never
// match is a store.FilterError; a cursor of another list or order wraps store.ErrBadCursor.
func (d *DB) Servers(ctx context.Context, f store.ServerFilter) (store.ServerPage, error) {
	defer d.timer.Observe("servers", time.Now())
	if err := f.Validate(); err != nil {
		return store.ServerPage{}, err
	}
	page := store.ServerPage{}
	if f.IncludeTotal {
		w := serverConditions(f)
		page.Total = new(int)
		if err := d.read.QueryRowContext(ctx, "SELECT count(*) FROM mcp_servers"+w.String(), w.args...).Scan(page.Total); err != nil {
			return store.ServerPage{}, fmt.Errorf("count servers: %w", err)
		}
	}
	query, args, err := ServerQuery(f)
	if err != nil {
		return store.ServerPage{}, err
	}
	if page.Items, err = d.listServers(ctx, query, args); err != nil {
		return store.ServerPage{}, fmt.Errorf("list servers: %w", err)
	}
	return f.Cut(page)
}

// ServerQuery is the statement of Servers and its arguments, for whoever asks the planner about it.
func ServerQuery(f store.ServerFilter) (string, []any, error) {
	w := serverConditions(f)
	order, err := w.page(f)
	if err != nil {
		return "", nil, err
	}
	return "SELECT " + serverColumns + " FROM mcp_servers" + w.String() + order + " LIMIT ?", append(w.args, f.PageSize()+1), nil
}

func (d *DB) listServers(ctx context.Context, query string, args []any) ([]store.Server, error) {
	rows, err := d.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var items []store.Server
	for rows.Next() {
		s, err := scanServer(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, s)
	}
	return items, rows.Err()
}

func serverConditions(f store.ServerFilter) *where {
	w := new(where)
	w.in("status", f.Status)
	w.in("sensitivity_level", f.Sensitivity)
	w.equal("team_id", f.TeamID)
	w.equal("owner_id", f.OwnerID)
	if f.Team != "" {
		w.add("EXISTS (SELECT 1 FROM json_each(teams) WHERE value = ?)", f.Team)
	}
	if tags := slices.Compact(slices.Sorted(slices.Values(f.Tags))); len(tags) > 0 {
		need := 1
		if f.MatchAllTags {
			need = len(tags)
		}
		w.add("(SELECT count(DISTINCT value) FROM json_each(tags) WHERE value IN ("+marks(len(tags))+")) >= ?",
			append(texts(tags), need)...)
	}
	if f.Search != "" {
		w.add("(instr(sark_fold(name), sark_fold(?)) > 0 OR instr(sark_fold(description), sark_fold(?)) > 0)", f.Search, f.Search)
	}
	return w
}

// page adds the condition of the cursor and returns the order.
func (w *where) page(f store.ServerFilter) (string, error) {
	compare, order := "<", " ORDER BY created_at DESC, id DESC"
	if f.Ascending {
		compare, order = ">", " ORDER BY created_at, id"
	}
	if f.Cursor == "" {
		return order, nil
	}
	c, err := f.After()
	if err != nil {
		return "", err
	}
	w.add("(created_at, id) "+compare+" (?, ?)", c.Time.UnixMicro(), c.ID.String())
	return order, nil
}
