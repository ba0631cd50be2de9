package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sark/store"
)

// answer is what a store says to one call.
type answer struct {
	Call    string
	Refusal string
	Servers []store.Server
	Total   *int
	Cursor  string
}

// Compare makes the same random calls to two empty stores, whose clocks must go alike, and fails when their answers differ.
func Compare(t *testing.T, seed uint64, a, b Store) {
	t.Helper()
	const calls = 300
	one, other := newCaller(seed, a), newCaller(seed, b)
	for n := range calls {
		got, want := one.call(t), other.call(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, call %d (-second store +first):\n%s", seed, n, diff)
		}
	}
}

// caller makes a series of random calls, the same for every store that answers the same.
type caller struct {
	s     Store
	dice  *rand.Rand
	bytes *rand.ChaCha8 // of ids
	ids   []string      // of the servers that were made
}

func newCaller(seed uint64, s Store) *caller {
	return &caller{s: s, dice: rand.New(rand.NewPCG(seed, 0)), bytes: rand.NewChaCha8([32]byte{byte(seed)})} //nolint:gosec // no secret
}

func (c *caller) call(t *testing.T) answer {
	t.Helper()
	switch c.dice.IntN(6) {
	case 0, 1:
		return c.create(t)
	case 2:
		return c.update(t)
	}
	return c.list(t)
}

func (c *caller) id() string {
	id, err := uuid.NewRandomFromReader(c.bytes)
	if err != nil {
		panic("BUG: ChaCha8 ended: " + err.Error())
	}
	return id.String()
}

func (c *caller) create(t *testing.T) answer {
	v := server(c.dice.IntN(30))
	v.ID = c.id()
	for i := range v.Tools {
		v.Tools[i].ID = c.id()
	}
	err := c.s.CreateServers(t.Context(), &v)
	if err == nil {
		c.ids = append(c.ids, v.ID)
	}
	return answer{Call: "create", Refusal: refusal(t, err), Servers: []store.Server{v}}
}

func (c *caller) update(t *testing.T) answer {
	if len(c.ids) == 0 {
		return answer{}
	}
	v, err := c.s.Server(t.Context(), c.ids[c.dice.IntN(len(c.ids))])
	must(t, err)
	v.Description, v.Status = fmt.Sprint("Änderung_", c.dice.IntN(9)), store.Statuses()[c.dice.IntN(5)]
	v.Revision -= int64(c.dice.IntN(4) / 3)
	v.Tags = v.Tags[:c.dice.IntN(len(v.Tags)+1)]
	if c.dice.IntN(2) == 0 {
		v.Tools = v.Tools[:c.dice.IntN(len(v.Tools)+1)]
		err = c.s.SetTools(t.Context(), &v)
	} else {
		err = c.s.UpdateServers(t.Context(), &v)
	}
	said := refusal(t, err)
	v, err = c.s.Server(t.Context(), v.ID)
	must(t, err)
	v.Tags = nilWhenEmpty(v.Tags)
	return answer{Call: "update", Refusal: said, Servers: []store.Server{v}}
}

func (c *caller) list(t *testing.T) answer {
	pick := func(words ...string) string { return words[c.dice.IntN(len(words))] }
	f := store.ServerFilter{
		Limit: c.dice.IntN(7), Ascending: c.dice.IntN(2) == 0, IncludeTotal: c.dice.IntN(2) == 0,
		TeamID: pick("", "", "team-1"), OwnerID: pick("", "", "owner-0"), Team: pick("", "", "platform", "nobody"),
		Search: pick("", "", "SERVER-0", "änd", "Änderung_1", "%", "100% of_case"),
	}
	if c.dice.IntN(2) == 0 {
		f.Status = store.Statuses()[c.dice.IntN(5):]
		f.Tags, f.MatchAllTags = []string{pick("all", "mod-1"), pick("mod-1", "mod-2")}, c.dice.IntN(2) == 0
	}
	page, err := c.s.Servers(t.Context(), f)
	if err == nil && page.HasMore {
		f.Cursor = page.NextCursor
		var rest store.ServerPage
		rest, err = c.s.Servers(t.Context(), f)
		page.Items, page.NextCursor = append(page.Items, rest.Items...), rest.NextCursor
	}
	return answer{Call: fmt.Sprintf("list %+v", f), Refusal: refusal(t, err), Servers: page.Items, Total: page.Total, Cursor: page.NextCursor}
}

// refusal names the error of a store.
func refusal(t *testing.T, err error) string {
	t.Helper()
	for _, known := range []error{store.ErrNameTaken, store.ErrConflict, store.ErrNotFound, store.ErrBadFilter} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	must(t, err)
	return ""
}

func nilWhenEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}
