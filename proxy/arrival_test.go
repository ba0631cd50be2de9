package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// arriving is what is claimed for requests of unknown callers now.
func (g *gateway) arriving(t testing.TB) int {
	t.Helper()
	return int(g.Metric(t, "sark_proxy_arriving_bytes"))
}

// head is the header of a call whose body has so many bytes; "" and no length for one in chunks.
func head(length string, lines ...string) string {
	lines = append(lines, "Content-Type: application/json", length)
	return "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func sized(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

const inChunks = "Transfer-Encoding: chunked"

func chunk(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }

// TestArrivingBytesAreRefused: what strangers announce takes their common room and no other. While it is full, a further large
// request of a stranger is refused, a small one and that of a caller with a credential are served, and so is the one that waited.
func TestArrivingBytesAreRefused(t *testing.T) {
	t.Parallel()
	body := largeCall(200 << 10)
	for _, form := range []struct{ name, head, body, end string }{
		{"sized", head(sized(body)), body, ""},
		{"in chunks", head(inChunks), chunk(body[:100<<10]) + chunk(body[100<<10:]), "0\r\n\r\n"},
	} {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, permissive(func(s *setup) { s.MaxBody, s.Listener.MaxBody, s.MaxArrivingBytes = 256<<10, 256<<10, 240<<10 }))
			slow := g.Dial(t)
			slow.Write(form.head + form.body[:len(form.body)/2])
			testkit.Eventually(t, "half of it is there", func() bool { return g.arriving(t) > 0 })

			second := g.Dial(t)
			second.Write(form.head + form.body + form.end)
			refused := second.ReadReply()
			diff(t, "another stranger", []any{503, "1", error(nil)}, []any{refused.Status, refused.Header.Value("Retry-After"), refused.Err})
			e := g.AwaitEvents(t, 1)[0]
			diff(t, "trail", []any{audit.OutcomeError, "arriving_bytes", ""}, []any{e.Outcome, e.Rule, e.UserID})
			diff(t, "refused", 1.0, g.Metric(t, "sark_proxy_arriving_refused_total"))

			known := g.Dial(t)
			known.Post("/mcp", body, bearer("admin"))
			diff(t, "a caller with a key", 200, known.ReadReply().Status)
			small := g.Dial(t)
			small.Write(head(inChunks, bearer("admin")) + chunk(toolCall) + "0\r\n\r\n")
			diff(t, "a small one in chunks", 200, small.ReadReply().Status)

			slow.Write(form.body[len(form.body)/2:] + form.end)
			diff(t, "the one that waited", 401, slow.ReadReply().Status)
			diff(t, "left", 0, g.arriving(t))
		})
	}
}

// TestArrivingBytesOfOnePrincipal: what a caller with a credential announces is on its own account from the header on.
func TestArrivingBytesOfOnePrincipal(t *testing.T) {
	t.Parallel()
	g := newGateway(t, permissive(func(s *setup) { s.MaxHeldBytes = heldLimit }))
	body := largeCall(150 << 10)
	slow := g.Dial(t)
	slow.Write(head(sized(body), bearer("admin")) + body[:10])
	testkit.Eventually(t, "its header is there", func() bool { return g.held(t) == len(body)-(64<<10) })

	second := g.Dial(t)
	second.Post("/mcp", body+strings.Repeat(" ", 100<<10), bearer("admin"))
	diff(t, "the same caller", 503, second.ReadReply().Status)
	e := g.AwaitEvents(t, 1)[0]
	diff(t, "trail", []any{audit.OutcomeError, "held_bytes", "admin@example.com"}, []any{e.Outcome, e.Rule, e.UserID})
	other := g.Dial(t)
	other.Post("/mcp", body, bearer("analyst"))
	diff(t, "another one", 200, other.ReadReply().Status)

	slow.Write(body[10:])
	diff(t, "the one that waited", 200, slow.ReadReply().Status)
	diff(t, "strangers", 0, g.arriving(t))
}

// TestArrivingBytesOfBrokenConnections: a connection that breaks between two chunks is closed by the server without a word. Its room
// is taken back when another needs it.
func TestArrivingBytesOfBrokenConnections(t *testing.T) {
	t.Parallel()
	at := &clock{}
	g := newGateway(t, permissive(func(s *setup) {
		s.MaxBody, s.Listener.MaxBody, s.MaxArrivingBytes, s.Now = 256<<10, 256<<10, 160<<10, at.Now
	}))
	body := largeCall(200 << 10)
	broken := g.Dial(t)
	broken.Write(head(inChunks) + chunk(body[:100]))
	testkit.Eventually(t, "a chunk is there", func() bool { return g.arriving(t) > 0 })
	broken.CloseWrite()
	broken.AwaitClosed()

	at.Advance(time.Minute)
	c := g.Dial(t)
	c.Write(head(sized(body)) + body)
	diff(t, "the next", 401, c.ReadReply().Status)
	diff(t, "left", 0, g.arriving(t))
}
