package proxy_test

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/internal/testkit"
)

// mark is a piece of the corpus' notation: ‹0d 0a› is bytes, ‹a*2000› is one character many times, ‹key ROLE› an API key,
// ‹gateway› the gateway's address, and ‹+› at the end of a line takes the line's end away.
var mark = regexp.MustCompile(`‹([^›]*)›`)

// corpusBytes are the bytes that a section stands for. Lines of a head end in CR LF. The body is as it stands, without the
// last line feed; when the head has a Transfer-Encoding, or ‹requests›, its lines end in CR LF too.
func corpusBytes(section, gateway string) string {
	section = strings.TrimSuffix(section, "\n")
	head, body, hasBody := strings.Cut(section, "\n\n")
	crlf := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, "\n", "\r\n"), "‹+›\r\n", "")
	}
	framed := strings.Contains(head, "Transfer-Encoding:") || strings.Contains(head, "‹requests›")
	if framed {
		body = crlf(body)
	}
	text := crlf(head)
	if hasBody {
		text += "\r\n\r\n" + body
	}
	return mark.ReplaceAllStringFunc(text, func(m string) string { return markBytes(m[len("‹"):len(m)-len("›")], gateway) })
}

func markBytes(m, gateway string) string {
	word, rest, _ := strings.Cut(m, " ")
	char, times, repeated := strings.Cut(m, "*")
	switch {
	case m == "+" || m == "requests":
		return ""
	case m == "gateway":
		return gateway
	case word == "key":
		return keyFor(rest)
	case repeated:
		n, err := strconv.Atoi(times)
		if err != nil {
			panic(err)
		}
		return strings.Repeat(char, n)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(m, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("the corpus has no mark ‹%s›", m))
	}
	return string(raw)
}

// renderReply writes a reply as it came, without the framing of its body. A body that was cut ends in ‹cut›.
func renderReply(r *testkit.Reply) string {
	text := fmt.Sprintf("HTTP/1.1 %d\n%s\n%s", r.Status, renderHeader(r.Header), r.Body)
	if r.Err != nil {
		text += "‹cut›"
	}
	return string(fixNL(text))
}

// renderRequest writes a request as the server got it.
func renderRequest(r testkit.Request) string {
	text := fmt.Sprintf("%s %s %s\n%s\n%s", r.Method, r.Target, r.Proto, renderHeader(r.Header), r.Body)
	return string(fixNL(text))
}

func renderHeader(h testkit.Header) string {
	var b strings.Builder
	for _, f := range h {
		switch f.Name {
		case "Date":
			f.Value = "‹date›"
		case "Retry-After": // some are spread at random
			f.Value = "‹seconds›"
		}
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

// masks replace by their names the values that differ from run to run.
func masks(g *gateway, events []audit.Event) *strings.Replacer {
	pairs := []string{g.Addr, "‹gateway›"}
	if g.Upstream != nil {
		pairs = append(pairs, g.Upstream.Addr(), "‹server›")
	}
	for i := range events {
		n := ""
		if i > 0 && events[i].ExchangeID != events[0].ExchangeID {
			n = fmt.Sprintf(" %d", i+1)
		}
		pairs = append(pairs, events[i].ExchangeID.String(), "‹exchange"+n+"›")
		if events[i].DecisionID != uuid.Nil {
			pairs = append(pairs, events[i].DecisionID.String(), "‹decision"+n+"›")
		}
	}
	for _, role := range roles() {
		pairs = append(pairs, keyFor(role), "‹key "+role+"›")
	}
	return strings.NewReplacer(pairs...)
}

// peer is an address that is new in each run and neither the gateway's nor the server's.
var peer = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// shorten writes one character that stands there very often as the mark for that, and what is no text as bytes.
func shorten(text string) string {
	text = peer.ReplaceAllString(text, "‹peer›")
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 1
		for i+n < len(text) && text[i+n] == text[i] {
			n++
		}
		switch {
		case n >= 200:
			fmt.Fprintf(&b, "‹%c*%d›", text[i], n)
		case text[i] == '\r':
			b.WriteString(strings.Repeat("‹0d›", n))
		default:
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return strings.ToValidUTF8(b.String(), "‹bytes›")
}
