package testkit_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sark/internal/testkit"
)

func TestUpstreamRecordsRequestsAsTheyCame(t *testing.T) {
	u := testkit.NewUpstream(t)
	c := testkit.Dial(t, u.URL())
	c.Write("POST /a%20b?x=1 HTTP/1.1\r\nhost: h\r\nX-B: 2\r\nx-a:1\r\nX-B:  3 \r\nContent-Length: 5\r\n\r\nhello" +
		"PUT /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n")
	for range 2 {
		if r := c.ReadReply(); r.Status != 200 || r.Err != nil {
			t.Errorf("reply: status %d, error %v", r.Status, r.Err)
		}
	}
	want := []testkit.Request{
		{
			Method: "POST", Target: "/a%20b?x=1", Proto: "HTTP/1.1", Body: []byte("hello"), Conn: 1,
			Header: testkit.Header{{"host", "h"}, {"X-B", "2"}, {"x-a", "1"}, {"X-B", "3"}, {"Content-Length", "5"}},
		},
		{
			Method: "PUT", Target: "/chunks", Proto: "HTTP/1.1", Body: []byte("abcde"), Conn: 1,
			Header: testkit.Header{{"Transfer-Encoding", "chunked"}},
		},
	}
	if diff := cmp.Diff(want, u.Requests(), cmpopts.IgnoreFields(testkit.Request{}, "At")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestUpstreamRecordsABrokenRequestAndRunsNoHandler(t *testing.T) {
	u := testkit.NewUpstream(t)
	u.Handle(func(*testkit.Exchange) { t.Error("the handler ran") })
	c := testkit.Dial(t, u.Addr())
	c.Write("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel")
	c.Close()
	got := u.AwaitRequests(t, 1)[0]
	if !errors.Is(got.Err, io.ErrUnexpectedEOF) || string(got.Body) != "hel" {
		t.Errorf("recorded error %v and body %q", got.Err, got.Body)
	}
}

func TestUpstreamAsksForTheBodyWhenExpected(t *testing.T) {
	u := testkit.NewUpstream(t)
	c := testkit.Dial(t, u.URL())
	c.Write("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	// ReadHead passes over the interim reply, so the body can go first.
	c.Write("ok")
	if r := c.ReadReply(); r.Status != 200 {
		t.Errorf("status %d", r.Status)
	}
	if diff := cmp.Diff("ok", string(u.Requests()[0].Body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestUpstreamReplies(t *testing.T) {
	type seen struct {
		Status int
		Body   string
		Cut    bool
		Reused bool
	}
	tests := []struct {
		name   string
		method string
		script func(*testkit.Exchange)
		want   seen
	}{
		{"sized", "GET", func(x *testkit.Exchange) { x.JSON(200, `{}`) }, seen{200, `{}`, false, true}},
		{"chunked", "GET", func(x *testkit.Exchange) { x.ChunkedJSON(200, `{}`) }, seen{200, `{}`, false, true}},
		{"until close", "GET", func(x *testkit.Exchange) { x.WriteHead(200); x.Write([]byte("all")) }, seen{200, "all", false, false}},
		{"no content", "GET", func(x *testkit.Exchange) { x.WriteHead(204) }, seen{204, "", false, true}},
		{"closing", "GET", func(x *testkit.Exchange) { x.Reply(200, "bye", "Connection: close") }, seen{200, "bye", false, false}},
		{"cut length", "GET", func(x *testkit.Exchange) { x.WriteHead(200, "Content-Length: 9"); x.Write([]byte("part")) }, seen{200, "part", true, false}},
		{"cut chunk", "GET", func(x *testkit.Exchange) {
			x.WriteHead(200, "Transfer-Encoding: chunked")
			x.WriteRaw([]byte("9\r\npart"))
			x.Cut()
		}, seen{200, "part", true, false}},
		{"raw", "GET", func(x *testkit.Exchange) { x.WriteRaw([]byte("HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\n!")) }, seen{299, "!", false, false}},
		{"interim", "GET", func(x *testkit.Exchange) { x.WriteHead(103, "Link: <a>"); x.Reply(200, "after") }, seen{200, "after", false, true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := testkit.NewUpstream(t)
			u.Handle(test.script)
			c := testkit.Dial(t, u.URL())
			c.Send(test.method, "/", "")
			r := c.ReadReply()
			u.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == n.Idle })
			got := seen{r.Status, r.Body, errors.Is(r.Err, io.ErrUnexpectedEOF), u.Conns().Open == 1}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpstreamHeadReplyHasNoBody(t *testing.T) {
	u := testkit.NewUpstream(t)
	u.Handle(func(x *testkit.Exchange) { x.Reply(200, "body") })
	c := testkit.Dial(t, u.URL())
	c.Send("HEAD", "/", "")
	if got := c.ReadReplyToHEAD().Header.Value("content-length"); got != "4" {
		t.Errorf("Content-Length %q", got)
	}
	c.Send("GET", "/", "")
	if diff := cmp.Diff("body", c.ReadReply().Body); diff != "" {
		t.Errorf("next body (-want +got):\n%s", diff)
	}
}

func TestUpstreamReleasesEventsOneByOne(t *testing.T) {
	u := testkit.NewUpstream(t)
	events := make(chan string)
	u.Handle(func(x *testkit.Exchange) { x.Stream(); x.Relay(events) })
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/", "")
	r := c.ReadHead()
	for _, want := range []string{"one", "two\nlines", "three"} {
		events <- want
		if diff := cmp.Diff(want, r.ReadData()); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	close(events)
	if e, ok := r.ReadEvent(); ok || r.Err != nil {
		t.Errorf("after the end: event %+v, error %v", e, r.Err)
	}
}

func TestUpstreamNoticesThatTheClientLeft(t *testing.T) {
	leave := map[string]func(*testkit.RawClient){
		"close":      (*testkit.RawClient).Close,
		"reset":      (*testkit.RawClient).Reset,
		"half close": (*testkit.RawClient).CloseWrite,
	}
	for name, act := range leave {
		t.Run(name, func(t *testing.T) {
			u := testkit.NewUpstream(t)
			gone := make(chan struct{})
			u.Handle(func(x *testkit.Exchange) {
				x.Stream()
				<-x.ClientGone()
				close(gone)
			})
			c := testkit.Dial(t, u.URL())
			c.Send("GET", "/", "")
			c.ReadHead()
			act(c)
			testkit.Wait(t, 0, gone)
			u.AwaitConns(t, func(n testkit.Conns) bool { return n.Open == 0 })
		})
	}
}

func TestUpstreamHoldEndsWithItsContext(t *testing.T) {
	u := testkit.NewUpstream(t)
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan struct{})
	u.Handle(func(x *testkit.Exchange) {
		close(held)
		x.Hold(ctx)
		x.Reply(200, "released")
	})
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/", "")
	testkit.Wait(t, 0, held)
	cancel()
	if diff := cmp.Diff("released", c.ReadReply().Body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestUpstreamThatNeverAnswersEndsWithTheTest(t *testing.T) {
	t.Run("inner", func(t *testing.T) {
		u := testkit.NewUpstream(t)
		u.Handle(func(x *testkit.Exchange) { x.Hold(context.Background()) })
		testkit.Dial(t, u.URL()).Send("GET", "/", "")
		u.AwaitRequests(t, 1)
	})
}

func TestUpstreamClosesIdleConnections(t *testing.T) {
	u := testkit.NewUpstream(t)
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/", "")
	c.ReadReply()
	u.AwaitConns(t, func(n testkit.Conns) bool { return n.Idle == 1 })
	if n := u.CloseIdle(); n != 1 {
		t.Errorf("closed %d connections, want 1", n)
	}
	if rest := c.AwaitClosed(); rest != "" {
		t.Errorf("bytes after the reply: %q", rest)
	}
	u.AwaitConns(t, func(n testkit.Conns) bool { return n == testkit.Conns{Accepted: 1} })
}

func TestUpstreamResetBreaksTheReply(t *testing.T) {
	u := testkit.NewUpstream(t)
	u.Handle(func(x *testkit.Exchange) {
		x.WriteHead(200, "Content-Length: 10")
		<-x.ClientGone()
		x.Reset()
		x.Write([]byte("lost"))
		if x.Err() == nil {
			t.Error("a write after Reset left no error")
		}
	})
	c := testkit.Dial(t, u.URL())
	c.Send("GET", "/", "")
	r := c.ReadHead()
	c.CloseWrite()
	if r.ReadBody(); r.Err == nil {
		t.Error("the broken body ended as if it were whole")
	}
}
