package mcp_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// splitLimit is the limit of the readers of these tests: most events are over it.
const splitLimit = 40

// answer is a message that is over the limit when it holds text of that length.
func answer(n int) string {
	return `{"jsonrpc":"2.0","id":1,"result":{"text":"` + strings.Repeat("a", n) + `","method":"inner \u006dethod"}}`
}

// splitting reads a stream whose answers may be split. It returns the ends of events as their position in the stream.
func splitting(r io.Reader) (raw string, ends []int, parts int, err error) {
	f := new(mcp.FrameReader)
	f.Reset(r, splitLimit)
	f.SplitAnswers()
	var b strings.Builder
	for {
		fr, err := f.Next()
		if err != nil {
			return b.String(), ends, parts, err
		}
		b.Write(fr.Raw)
		if fr.Part {
			parts++
			if fr.Data != nil || fr.ID != nil || f.Within() == fr.Complete {
				return "", nil, 0, errors.New("a part has fields, or its end is not told")
			}
		}
		if fr.Complete {
			ends = append(ends, b.Len())
		}
	}
}

// TestSplitAnswers: whatever the pieces in which it comes, a stream goes out as it was, with its events where they were.
func TestSplitAnswers(t *testing.T) {
	for name, stream := range map[string]string{
		"one answer":              "data: " + answer(100) + "\n\n",
		"without the space":       "data:" + answer(100) + "\n\n",
		"between small ones":      "id: 1\ndata: {}\n\nevent: message\ndata: " + answer(500) + "\nid: 2\n\n: comment\n\ndata: {}\n\n",
		"two":                     "data: " + answer(100) + "\n\ndata: " + answer(200) + "\n\n",
		"CRLF":                    "id: 1\r\ndata: " + answer(100) + "\r\n\r\ndata: {}\r\n\r\n",
		"CR":                      "id: 1\rdata: " + answer(100) + "\r\rdata: {}\r\r",
		"byte order mark":         "\ufeffdata: " + answer(100) + "\n\n",
		"several lines":           "data: {\"id\":\ndata\ndata: 1,\ndata:  \"result\": [\"" + strings.Repeat("b", 100) + "\"]}\n\n",
		"a large comment":         ": " + strings.Repeat("method ", 50) + "\n\ndata: {}\n\n",
		"not ended":               "data: " + answer(100),
		"not ended in its middle": "data: " + answer(100)[:80],
		"larger than any buffer":  "data: " + answer(200_000) + "\n\ndata: {}\n\n",
	} {
		var want []int
		whole := mcp.NewFrameReader(strings.NewReader(stream), len(stream))
		for at := 0; ; {
			fr, err := whole.Next()
			if err != nil {
				break
			}
			if at += len(fr.Raw); fr.Complete {
				want = append(want, at)
			}
		}
		for how, r := range map[string]io.Reader{
			"at once":      strings.NewReader(stream),
			"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
			"in halves":    iotest.HalfReader(strings.NewReader(stream)),
			"end with it":  iotest.DataErrReader(strings.NewReader(stream)),
		} {
			raw, ends, parts, err := splitting(r)
			if !errors.Is(err, io.EOF) || parts == 0 {
				t.Errorf("%s, %s: %d parts, error %v", name, how, parts, err)
			}
			if raw != stream {
				t.Errorf("%s, %s: the stream was changed: %.200q", name, how, raw)
			}
			if how == "at once" || how == "end with it" {
				for i, end := range ends { // the line feed of a CRLF may end a frame or begin the next
					if i < len(want) && stream[end-1] == '\r' && want[i] == end+1 {
						ends[i]++
					}
				}
				if d := cmp.Diff(want, ends); d != "" {
					t.Errorf("%s, %s: ends (-want +got):\n%s", name, how, d)
				}
			}
		}
	}
}

// TestSplitRefusesRequests: what could be a request to the client is never let through unread.
func TestSplitRefusesRequests(t *testing.T) {
	fill := `"` + strings.Repeat("a", 200) + `"`
	for name, message := range map[string]string{
		"request":               `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":` + fill + `}`,
		"at its end":            `{"params":[` + fill + `],"id":1,"method":"x"}`,
		"in another case":       `{"params":` + fill + `,"Method":"x"}`,
		"escaped":               `{"params":` + fill + `,"m\u0065thod":"x"}`,
		"any escape in a key":   `{"params":` + fill + `,"a\/b":"x"}`,
		"space before colon":    `{"params":` + fill + `,"method" :"x"}`,
		"batch":                 `[{"params":` + fill + `,"method":"x"}]`,
		"text":                  fill,
		"second message":        `{"result":` + fill + `}{"method":"x"}`,
		"words behind":          `{"result":` + fill + `} true`,
		"behind a closed value": `{"result":{"a":[` + fill + `]},"method":"x"}`,
		"quote in a string":     `{"a":"\"","b":` + fill + `,"method":"x"}`,
		"backslash in a string": `{"a":"\\","b":` + fill + `,"method":"x"}`,
	} {
		for _, stream := range []string{
			"data: " + message + "\n\n", "data:" + message + "\r\n\r\n", "\ufeffdata: " + message + "\n\n", "data: {}\n\nevent: x\rdata: " + message + "\r\r",
			"data: " + strings.ReplaceAll(message, ",", ",\ndata:") + "\n\n",
		} {
			raw, _, _, err := splitting(iotest.OneByteReader(strings.NewReader(stream)))
			if !errors.Is(err, mcp.ErrFrameTooLong) {
				t.Errorf("%s: error %v", name, err)
			}
			if !strings.HasPrefix(stream, raw) || strings.HasSuffix(raw, "}") || strings.Contains(strings.ToLower(raw), `"x"`) {
				t.Errorf("%s: %q was let through", name, raw)
			}
		}
	}
}

// TestResetKeepsNothing: a reader that is used again knows nothing of the stream before, and is not larger than it need be.
func TestResetKeepsNothing(t *testing.T) {
	f := mcp.NewFrameReader(strings.NewReader("data: "+answer(300_000)+"\n\ndata: half"), 1<<20)
	for range 2 {
		if _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	}
	f.Reset(strings.NewReader("\ufeffid: 7\ndata: {}\n\n"), 100)
	fr, err := f.Next()
	if err != nil || string(fr.ID) != "7" || string(fr.Data) != "{}" || !fr.Complete || f.Within() {
		t.Errorf("frame %+v, error %v", fr, err)
	}
	if _, err = f.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
	stream := "data: {}\n\n"
	r := strings.NewReader(stream)
	n := testing.AllocsPerRun(100, func() {
		r.Reset(stream)
		f.Reset(r, 100)
		if _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSplitAnswers holds that no event is let through in parts which a lenient reader takes for a request.
func FuzzSplitAnswers(f *testing.F) {
	fill := strings.Repeat("a", splitLimit)
	f.Add("data: {\"result\":\"" + fill + "\"}\n\n")
	f.Add("data: {\"a\":\"" + fill + "\",\ndata: \"Method\" :1}\n\n")
	f.Add("\ufeffdata:{\"a\":\"" + fill + "\\\\\",\"m\\u0065thod\":1}\r\r")
	f.Add("data: [{\"a\":\"" + fill + "\",\"method\":1}]\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		raw, _, parts, err := splitting(iotest.OneByteReader(strings.NewReader(stream)))
		if errors.Is(err, io.EOF) && raw != stream {
			t.Fatalf("%q became %q", stream, raw)
		}
		if parts == 0 || !errors.Is(err, io.EOF) {
			return
		}
		whole := mcp.NewFrameReader(strings.NewReader(stream), len(stream)+1)
		for {
			fr, err := whole.Next()
			if err != nil {
				return
			}
			if len(fr.Raw) <= splitLimit {
				continue
			}
			var lenient struct{ Method *json.RawMessage }
			if json.Unmarshal(fr.Data, &lenient) == nil && lenient.Method != nil {
				t.Fatalf("a request was let through: %q", fr.Data)
			}
		}
	})
}
