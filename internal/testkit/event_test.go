package testkit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/internal/testkit"
)

func TestParseEvents(t *testing.T) {
	const body = ": hello\n\n" +
		"id: 7\r\nretry: 500\r\ndata:\r\n\r\n" +
		"event: message\ndata: a\ndata:b\n\n\n" +
		"data: unfinished\n"
	want := []testkit.Event{
		{Comment: []string{"hello"}},
		{ID: "7", Retry: "500", HasData: true},
		{Name: "message", Data: "a\nb", HasData: true},
	}
	got := testkit.ParseEvents(body)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(testkit.Event{}, "At")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestReadEventTellsACutFromAnEnd(t *testing.T) {
	tests := []struct {
		name   string
		script func(*testkit.Exchange)
		whole  bool
	}{
		{"end between events", func(x *testkit.Exchange) { x.Stream(); x.Event("a") }, true},
		{"end within an event", func(x *testkit.Exchange) { x.Stream(); x.Event("a"); x.Write([]byte("data: b")) }, false},
		{"cut", func(x *testkit.Exchange) { x.Stream(); x.Event("a"); x.Cut() }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := testkit.NewUpstream(t)
			u.Handle(test.script)
			c := testkit.Dial(t, u.URL())
			c.Send("GET", "/", "")
			r := c.ReadHead()
			if diff := cmp.Diff("a", r.ReadData()); diff != "" {
				t.Errorf("first event (-want +got):\n%s", diff)
			}
			if _, ok := r.ReadEvent(); ok || (r.Err == nil) != test.whole {
				t.Errorf("then: event %v, error %v", ok, r.Err)
			}
		})
	}
}

func TestReadPieceShowsEachWrite(t *testing.T) {
	u := testkit.NewUpstream(t)
	next := make(chan struct{})
	u.Handle(func(x *testkit.Exchange) {
		x.WriteHead(200, "Transfer-Encoding: chunked")
		x.Write([]byte("one"))
		<-next
		x.Write([]byte("two"))
	})
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/", "")
	r := c.ReadHead()
	first, at := r.ReadPiece()
	close(next)
	second, later := r.ReadPiece()
	last, _ := r.ReadPiece()
	if diff := cmp.Diff([]string{"one", "two", ""}, []string{first, second, last}); diff != "" {
		t.Errorf("pieces (-want +got):\n%s", diff)
	}
	if later.Before(at) || r.Err != nil {
		t.Errorf("arrival %s then %s, error %v", at, later, r.Err)
	}
}
