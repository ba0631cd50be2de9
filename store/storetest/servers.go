package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"sark/store"
)

// server is the n-th of a series of servers that differ in what filters look at.
func server(n int) store.Server {
	return store.Server{
		Name: fmt.Sprintf("server-%02d", n), Description: fmt.Sprintf("handles 100%% of_case %d", n), Transport: "http",
		Endpoint: "http://127.0.0.1:9000/mcp", Version: "2025-06-18", Capabilities: []string{"tools", "resources"},
		Tools: []store.Tool{
			{Name: "zeta", Description: "first", Parameters: json.RawMessage(`{"type":"object"}`), SensitivityLevel: "high", RequiresApproval: true},
			{Name: "alpha", SensitivityLevel: "low", Parameters: json.RawMessage(`{}`)},
		},
		SensitivityLevel: store.Sensitivities()[n%4], Status: store.Statuses()[n%4], OwnerID: fmt.Sprintf("owner-%d", n%2),
		TeamID: fmt.Sprintf("team-%d", n%3), Teams: []string{"platform"}, Tags: []string{"all", fmt.Sprintf("mod-%d", n%5)},
		Metadata: json.RawMessage(`{"a":1}`),
	}
}

// register makes n servers of the series.
func register(t *testing.T, s Store, n int) {
	t.Helper()
	for i := range n {
		v := server(i)
		must(t, s.CreateServers(t.Context(), &v))
	}
}

func serverRoundTrip(t *testing.T, s Store) {
	want := server(1)
	must(t, s.CreateServers(t.Context(), &want))
	if _, err := uuid.Parse(want.ID); err != nil || want.CreatedAt.IsZero() || want.Tools[0].ID == "" {
		t.Errorf("ids and times were not filled in: %+v", want)
	}
	got, err := s.Server(t.Context(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("server (-written +read):\n%s", diff)
	}
	if _, err := s.Server(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown id: error %v", err)
	}
}

// serverWithOddDocuments holds what not every database takes as it stands.
func serverWithOddDocuments(t *testing.T, s Store) {
	v := server(1)
	v.Metadata = json.RawMessage(`{"nul":"\u0000 \\u0000","b":1,"a":[]}`)
	v.Tools[0].Parameters = json.RawMessage(`{ "type": "object", "maximum": 1e400 }`)
	v.Tags = []string{"\x00", `"`, "é"}
	v.Description, v.Tools[1].Description = "a\x00b\xff", "\xed\xa0\x80"
	must(t, s.CreateServers(t.Context(), &v))
	got, err := s.Server(t.Context(), v.ID)
	must(t, err)
	var kept map[string]any
	if err := json.Unmarshal(got.Metadata, &kept); err != nil || len(kept) != 3 || len(got.Tags) != 3 || !json.Valid(got.Tools[0].Parameters) {
		t.Errorf("server %+v, error %v", got, err)
	}
	found := names(t, s, store.ServerFilter{Search: "a\x00b", Status: []string{v.Status}})
	if diff := cmp.Diff([]string{v.Name}, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	none := names(t, s, store.ServerFilter{OwnerID: "\xff", Tags: []string{"\x00\x00"}})
	if len(none) != 0 {
		t.Errorf("found %v", none)
	}
	if _, err := s.Server(t.Context(), "no uuid"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an id of another kind: error %v", err)
	}
}

func serverNameIsUnique(t *testing.T, s Store) {
	gone := server(0)
	gone.Status = "decommissioned"
	must(t, s.CreateServers(t.Context(), &gone))
	register(t, s, 1) // a decommissioned server's name is free
	again := server(0)
	if err := s.CreateServers(t.Context(), &again); !errors.Is(err, store.ErrNameTaken) {
		t.Errorf("a taken name: error %v", err)
	}
	changes, err := s.PendingChanges(t.Context(), 10)
	must(t, err)
	if len(changes) != 2 {
		t.Errorf("%d changes, want 2: a refused server left one", len(changes))
	}
}

// names walks through all pages and returns the names in order.
func names(t *testing.T, s Store, f store.ServerFilter) []string {
	t.Helper()
	var list []string
	for {
		page, err := s.Servers(t.Context(), f)
		must(t, err)
		for _, v := range page.Items {
			list = append(list, v.Name)
		}
		if page.HasMore != (page.NextCursor != "") || len(page.Items) > f.PageSize() {
			t.Fatalf("page of %d items, more %v, cursor %q", len(page.Items), page.HasMore, page.NextCursor)
		}
		if !page.HasMore {
			return list
		}
		f.Cursor = page.NextCursor
	}
}

func serverPages(t *testing.T, s Store) {
	register(t, s, 10)
	var oldest, newest []string
	for i := range 10 {
		oldest, newest = append(oldest, server(i).Name), append(newest, server(9-i).Name)
	}
	sameTime := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	for limit := range 11 {
		asc := names(t, s, store.ServerFilter{Limit: limit, Ascending: true})
		desc := names(t, s, store.ServerFilter{Limit: limit})
		if diff := cmp.Diff(oldest, asc, sameTime); diff != "" {
			t.Errorf("limit %d, ascending (-want +got):\n%s", limit, diff)
		}
		if diff := cmp.Diff(newest, desc, sameTime); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	page, err := s.Servers(t.Context(), store.ServerFilter{Limit: 3, IncludeTotal: true})
	must(t, err)
	if page.Total == nil || *page.Total != 10 || len(page.Items) != 3 {
		t.Errorf("page of %d, total %v", len(page.Items), page.Total)
	}
}

func serverFilters(t *testing.T, s Store) {
	register(t, s, 12)
	for name, c := range map[string]struct {
		filter store.ServerFilter
		keep   func(n int) bool
	}{
		"status":      {store.ServerFilter{Status: []string{"active", "inactive"}}, func(n int) bool { return n%4 == 1 || n%4 == 2 }},
		"sensitivity": {store.ServerFilter{Sensitivity: []string{"low"}}, func(n int) bool { return n%4 == 0 }},
		"team, owner": {store.ServerFilter{TeamID: "team-1", OwnerID: "owner-0"}, func(n int) bool { return n%3 == 1 && n%2 == 0 }},
		"any tag":     {store.ServerFilter{Tags: []string{"mod-1", "mod-2"}}, func(n int) bool { return n%5 == 1 || n%5 == 2 }},
		"all tags": {
			store.ServerFilter{Tags: []string{"all", "mod-1", "all"}, MatchAllTags: true}, func(n int) bool { return n%5 == 1 },
		},
		"search name":        {store.ServerFilter{Search: "SERVER-1"}, func(n int) bool { return n >= 10 }},
		"search description": {store.ServerFilter{Search: "100% of_case 3"}, func(n int) bool { return n == 3 }},
		"no wild card":       {store.ServerFilter{Search: "handles%case"}, func(int) bool { return false }},
	} {
		var want []string
		for n := range 12 {
			if c.keep(n) {
				want = append(want, server(n).Name)
			}
		}
		c.filter.Ascending, c.filter.Limit = true, 2
		got := names(t, s, c.filter)
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func serverListRefusesNonsense(t *testing.T, s Store) {
	register(t, s, 3)
	page, err := s.Servers(t.Context(), store.ServerFilter{Limit: 1})
	must(t, err)
	for name, c := range map[string]struct {
		filter store.ServerFilter
		want   error
	}{
		"status":      {store.ServerFilter{Status: []string{"actve"}}, store.ErrBadFilter},
		"sensitivity": {store.ServerFilter{Sensitivity: []string{"secret"}}, store.ErrBadFilter},
		"limit":       {store.ServerFilter{Limit: store.MaxLimit + 1}, store.ErrBadFilter},
		"cursor":      {store.ServerFilter{Cursor: "MjAyNi0xMS0yMw"}, store.ErrBadCursor},
		"order":       {store.ServerFilter{Cursor: page.NextCursor, Ascending: true}, store.ErrBadCursor},
	} {
		if _, err := s.Servers(t.Context(), c.filter); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func outbox(t *testing.T, s Store) {
	register(t, s, 3)
	changes, err := s.PendingChanges(t.Context(), 2)
	must(t, err)
	if len(changes) != 2 || changes[0].Subject != "server" || changes[0].Operation != "create" || changes[0].ID >= changes[1].ID {
		t.Fatalf("changes %+v", changes)
	}
	must(t, s.AcknowledgeChange(t.Context(), changes[0].ID))
	rest, err := s.PendingChanges(t.Context(), 10)
	must(t, err)
	if len(rest) != 2 || rest[0] != changes[1] {
		t.Errorf("changes after the first was acknowledged: %+v", rest)
	}
}
