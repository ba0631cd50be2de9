package storetest

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/store"
)

// made registers the n-th server of the series and returns it.
func made(t *testing.T, s Store, n int) store.Server {
	t.Helper()
	v := server(n)
	must(t, s.CreateServers(t.Context(), &v))
	return v
}

// operations are what the outbox says of the servers, oldest first.
func operations(t *testing.T, s Store) []string {
	t.Helper()
	changes, err := s.PendingChanges(t.Context(), 100)
	must(t, err)
	var list []string
	for _, c := range changes {
		list = append(list, c.Operation)
	}
	return list
}

func serverUpdate(t *testing.T, s Store) {
	v := made(t, s, 1)
	old := v
	v.Description, v.Status, v.Tags, v.Metadata = "new", "inactive", nil, json.RawMessage(`{"b":2}`)
	v.OwnerID, v.Teams, v.Endpoint = "eve", []string{"red", "blue"}, "http://127.0.0.1:9001/mcp"
	must(t, s.UpdateServers(t.Context(), &v))
	if v.Revision != old.Revision+1 || v.UpdatedAt.Before(old.UpdatedAt) {
		t.Errorf("revision %d at %s after %d at %s", v.Revision, v.UpdatedAt, old.Revision, old.UpdatedAt)
	}
	got, err := s.Server(t.Context(), v.ID)
	must(t, err)
	if diff := cmp.Diff(v, got); diff != "" {
		t.Errorf("server (-written +read):\n%s", diff)
	}
	bare, err := s.BareServer(t.Context(), v.ID)
	must(t, err)
	got.Tools = nil
	if diff := cmp.Diff(got, bare); diff != "" {
		t.Errorf("bare server (-with tools, left out +without):\n%s", diff)
	}
	if _, err := s.BareServer(t.Context(), uuid.NewString()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown id: error %v", err)
	}
}

// serverUpdateOfAnOldState is the lost update: the second of two changes of one state is refused, and leaves nothing.
func serverUpdateOfAnOldState(t *testing.T, s Store) {
	first := made(t, s, 1)
	second := first
	first.Description, second.Description = "first", "second"
	must(t, s.UpdateServers(t.Context(), &first))
	if err := s.UpdateServers(t.Context(), &second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a change of an old state: error %v", err)
	}
	second.Tools = nil
	if err := s.SetTools(t.Context(), &second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("tools of an old state: error %v", err)
	}
	unknown := server(2)
	unknown.ID, unknown.Revision = uuid.NewString(), 1
	if err := s.UpdateServers(t.Context(), &unknown); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a server that does not exist: error %v", err)
	}
	got, err := s.Server(t.Context(), first.ID)
	must(t, err)
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("server (-first change +read):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"create", "update"}, operations(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

func serverDecommission(t *testing.T, s Store) {
	v := made(t, s, 1)
	v.Status = store.Decommissioned
	must(t, s.UpdateServers(t.Context(), &v))
	v.Status = "active"
	if err := s.UpdateServers(t.Context(), &v); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a decommissioned server comes back: error %v", err)
	}
	again := made(t, s, 1) // the name is free
	other := made(t, s, 2)
	other.Name = again.Name
	if err := s.UpdateServers(t.Context(), &other); !errors.Is(err, store.ErrNameTaken) {
		t.Errorf("a rename to a taken name: error %v", err)
	}
	if diff := cmp.Diff([]string{"create", "decommission", "create", "create"}, operations(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

func serverTools(t *testing.T, s Store) {
	v := made(t, s, 1)
	kept := v.Tools[1]
	kept.SensitivityLevel = "critical"
	v.Tools = []store.Tool{
		kept, {Name: "drop_table", SuggestedLevel: "high", SuggestedBy: []string{"drop"}, Parameters: json.RawMessage(`{}`)},
	}
	must(t, s.SetTools(t.Context(), &v))
	got, err := s.Server(t.Context(), v.ID)
	must(t, err)
	if diff := cmp.Diff(v, got); diff != "" {
		t.Errorf("server (-written +read):\n%s", diff)
	}
	if got.Revision != 2 || got.Tools[0].ID != kept.ID || got.Tools[1].SensitivityLevel != "medium" {
		t.Errorf("revision %d, tools %+v", got.Revision, got.Tools)
	}
}

// serversAreWrittenTogether sees that one bad server of several leaves nothing of the others, and is named.
func serversAreWrittenTogether(t *testing.T, s Store) {
	first, second, taken := server(1), server(2), server(1)
	var item *store.ItemError
	err := s.CreateServers(t.Context(), &first, &second, &taken)
	if !errors.Is(err, store.ErrNameTaken) || !errors.As(err, &item) || item.Index != 2 {
		t.Errorf("a name twice: error %v", err)
	}
	if got := names(t, s, store.ServerFilter{}); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
	first, second = server(1), server(2)
	must(t, s.CreateServers(t.Context(), &first, &second))
	first.Status, second.Status, second.Revision = "active", "active", 7
	err = s.UpdateServers(t.Context(), &first, &second)
	if !errors.Is(err, store.ErrConflict) || !errors.As(err, &item) || item.Index != 1 || first.Revision != 1 {
		t.Errorf("an old state: error %v, revision %d", err, first.Revision)
	}
	got, err := s.BareServer(t.Context(), first.ID)
	must(t, err)
	if got.Status != server(1).Status || got.Revision != 1 {
		t.Errorf("left over: status %s, revision %d", got.Status, got.Revision)
	}
	if diff := cmp.Diff([]string{"create", "create"}, operations(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

// Race lets two replicas write the same things at once: of one name there is one server, and of changes of one state one is
// in force, whoever came first.
func Race(t *testing.T, replicas [2]Store) {
	t.Helper()
	const rounds = 20
	target := made(t, replicas[0], 39)
	for n := range rounds {
		created, changed := [2]error{}, [2]error{}
		var work sync.WaitGroup
		for i, s := range replicas {
			work.Go(func() {
				v, c := server(n), target
				c.Description = v.Name
				created[i] = s.CreateServers(t.Context(), &v)
				changed[i] = s.UpdateServers(t.Context(), &c)
			})
		}
		work.Wait()
		one := func(errs [2]error, refusal error) bool {
			return errs[0] == nil && errors.Is(errs[1], refusal) || errs[1] == nil && errors.Is(errs[0], refusal)
		}
		if !one(created, store.ErrNameTaken) || !one(changed, store.ErrConflict) {
			t.Fatalf("round %d: created %v, changed %v", n, created, changed)
		}
		var err error
		target, err = replicas[0].Server(t.Context(), target.ID)
		must(t, err)
	}
	if target.Revision != rounds+1 {
		t.Errorf("revision %d after %d changes", target.Revision, rounds)
	}
}
