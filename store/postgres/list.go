package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
		total, err := list(ctx, d.api, pgx.RowTo[int], "SELECT count(*) FROM mcp_servers"+w.String(), w.args...)
		if err != nil {
			return store.ServerPage{}, fmt.Errorf("count servers: %w", err)
		}
		page.Total = &total[0]
	}
	query, args, err := ServerQuery(f)
	if err != nil {
		return store.ServerPage{}, err
	}
	if page.Items, err = list(ctx, d.api, scanServer, query, args...); err != nil {
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
	return "SELECT " + serverColumns + " FROM mcp_servers" + w.String() + order + " LIMIT " + w.arg(f.PageSize()+1), w.args, nil
}

func serverConditions(f store.ServerFilter) *where {
	w := new(where)
	w.in("status", f.Status)
	w.in("sensitivity_level", f.Sensitivity)
	w.equal("team_id", f.TeamID)
	w.equal("owner_id", f.OwnerID)
	if f.Team != "" {
		w.add("teams ? " + w.arg(f.Team))
	}
	if len(f.Tags) > 0 {
		overlaps := "tags ?| "
		if f.MatchAllTags {
			overlaps = "tags ?& "
		}
		w.add(overlaps + w.arg(f.Tags) + "::text[]")
	}
	if f.Search != "" {
		pattern := w.arg("%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Search) + "%")
		w.add(`(name ILIKE ` + pattern + ` ESCAPE '\' OR description ILIKE ` + pattern + ` ESCAPE '\')`)
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
	w.add("(created_at, id) " + compare + " (" + w.arg(c.Time) + ", " + w.arg(c.ID) + ")")
	return order, nil
}
