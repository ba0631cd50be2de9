package mcp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// event is what a client gets out of a frame. Data and ID are in quotes, "none" when there is no such line.
type event struct {
	Data, ID string
	Complete bool
}

func quoted(b []byte) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%q", b)
}

const frameLimit = 1 << 16

// frames reads all frames of a stream. It leaves out the line feed that may be left of a CRLF at the end of the stream.
func frames(r io.Reader, limit int) (events []event, raw []byte, err error) {
	f := mcp.NewFrameReader(r, limit)
	for {
		fr, err := f.Next()
		if err != nil {
			return events, raw, err
		}
		raw = append(raw, fr.Raw...)
		if string(fr.Raw) == "\n" && !fr.Complete {
			continue
		}
		events = append(events, event{quoted(fr.Data), quoted(fr.ID), fr.Complete})
	}
}

// reference reads a stream as the WHATWG text puts it, all at once.
func reference(stream string) (events []event) {
	stream = strings.TrimPrefix(stream, "\ufeff")
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream), "\n")
	last := lines[len(lines)-1]
	e, begun := event{Data: "none", ID: "none"}, false
	var data []string
	end := func(complete bool) {
		if data != nil {
			e.Data = fmt.Sprintf("%q", strings.Join(data, "\n"))
		}
		e.Complete = complete
		events = append(events, e)
		e, begun, data = event{Data: "none", ID: "none"}, false, nil
	}
	for i, line := range lines {
		if line == "" {
			if i < len(lines)-1 {
				end(true)
			}
			continue
		}
		begun = true
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			data = append(data, value)
		case "id":
			e.ID = fmt.Sprintf("%q", value)
		}
	}
	if begun || last != "" {
		end(false)
	}
	return events
}

var streams = map[string]string{
	"empty":                 "",
	"one event":             "event: message\ndata: {\"a\":1}\n\n",
	"carriage returns":      "event: message\rdata: {}\r\rdata: 2\r\r",
	"CRLF":                  "event: message\r\nid: 1\r\ndata: {}\r\n\r\nid: 2\r\ndata: x\r\n\r\n",
	"mixed line ends":       "data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\ndata: e\r\n\rdata: f\n\r",
	"blank lines":           "\n\r\n\r\r\ndata: a\n\n\n\n",
	"comments":              ": hello\n\n:\ndata: a\n:b\n\n",
	"priming event":         "id: 7\nretry: 3000\ndata:\n\n",
	"id without colon":      "id\ndata\n\n",
	"empty data lines":      "data\ndata:\ndata: \n\n",
	"one space goes":        "data:  a\ndata:b\ndata:\tc\n\n",
	"many data lines":       "data: {\ndata:   \"a\": 1\ndata: }\n\n",
	"names in other cases":  "Data: a\nDATA: b\n data: c\ndata : d\n\n",
	"byte order mark":       "\ufeffdata: a\n\n",
	"byte order mark later": "data: a\n\n\ufeffdata: b\n\n",
	"blank after the mark":  "\ufeff\ndata: a\n\n",
	"CRLF after the mark":   "\ufeff\r\ndata: a\r\n\r\n",
	"two byte order marks":  "\ufeff\ufeffdata: a\n\n",
	"no final blank line":   "data: a\n\ndata: b\n",
	"no final line end":     "data: a\n\ndata: b",
	"only a colon":          ":",
	"last id wins":          "id: 1\nid: 2\n\n",
	"long lines":            "data: " + strings.Repeat("x", 9000) + "\n\n: " + strings.Repeat("y", 5000) + "\r\ndata: z\r\n\r\n",
}

func TestFramesAreTheSameForAnySplit(t *testing.T) {
	for name, stream := range streams {
		t.Run(name, func(t *testing.T) {
			want := reference(stream)
			check := func(how string, r io.Reader) {
				t.Helper()
				got, raw, err := frames(r, frameLimit)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v, want io.EOF", how, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				if diff := cmp.Diff(stream, string(raw)); diff != "" {
					t.Errorf("%s: bytes (-want +got):\n%s", how, diff)
				}
			}
			check("at once", strings.NewReader(stream))
			check("half reads", iotest.HalfReader(strings.NewReader(stream)))
			check("data with error", iotest.DataErrReader(strings.NewReader(stream)))
			for n := 1; n <= min(len(stream), 64); n++ {
				check(fmt.Sprintf("%d bytes a read", n), &steps{stream: stream, n: n})
			}
			for at := range min(len(stream), 200) {
				check(fmt.Sprintf("cut at %d", at), io.MultiReader(strings.NewReader(stream[:at]), strings.NewReader(stream[at:])))
			}
		})
	}
}

// steps gives n bytes a read.
type steps struct {
	stream string
	n      int
}

func (s *steps) Read(p []byte) (int, error) {
	if s.stream == "" {
		return 0, io.EOF
	}
	n := copy(p, s.stream[:min(s.n, len(s.stream))])
	s.stream = s.stream[n:]
	return n, nil
}

// A frame is given out without another read, which would block until the server has more to say.
func TestFrameIsGivenOutAtOnce(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n", "\r\n\r"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			pieces := []string{"data: a" + end, "data: b", end, "data: c" + end + "data: d" + end}
			r := &pushed{}
			f := mcp.NewFrameReader(r, frameLimit)
			next := func() string {
				t.Helper()
				fr, err := f.Next()
				if err != nil {
					t.Fatal(err)
				}
				return string(fr.Data)
			}
			r.pieces = pieces[:1]
			got := []string{next()}
			r.pieces = pieces[1:3]
			got = append(got, next())
			r.pieces = pieces[3:]
			got = append(got, next(), next())
			if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}

// pushed gives one piece a read; a read that would block for lack of pieces is an error.
type pushed struct{ pieces []string }

var errWouldBlock = errors.New("this read would block")

func (p *pushed) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, errWouldBlock
	}
	n := copy(b, p.pieces[0])
	p.pieces = p.pieces[1:]
	return n, nil
}

func TestFrameLimit(t *testing.T) {
	const limit = 20
	fits := "data: 012345678901\n\n" // exactly the limit
	if len(fits) != limit {
		t.Fatal("the test is wrong")
	}
	for _, over := range []string{"data: 0123456789012\n\n", "data: 0123456789012345678901234567890", ": a\n: b\n: c\n: d\n: e\n: f\n"} {
		for n := 1; n <= 64; n++ {
			f := mcp.NewFrameReader(&steps{stream: fits + over + fits, n: n}, limit)
			fr, err := f.Next()
			if err != nil || string(fr.Raw) != fits {
				t.Fatalf("%d bytes a read: first frame %q, %v", n, fr.Raw, err)
			}
			for range 2 {
				if fr, err = f.Next(); !errors.Is(err, mcp.ErrFrameTooLong) {
					t.Errorf("%d bytes a read: %q, %v, want ErrFrameTooLong", n, fr.Raw, err)
				}
			}
		}
	}
}

func TestFrameReaderPassesErrors(t *testing.T) {
	broken := errors.New("connection reset")
	got, raw, err := frames(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)), frameLimit)
	if !errors.Is(err, broken) || string(raw) != "data: a\n\ndata: b" {
		t.Errorf("%v after %q", err, raw)
	}
	if diff := cmp.Diff([]event{{`"a"`, "none", true}, {`"b"`, "none", false}}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if _, _, err := frames(silent{}, frameLimit); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source without bytes: %v", err)
	}
}

// silent reads nothing, and says nothing of an end.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestFrameReaderLargeFrames(t *testing.T) {
	var stream bytes.Buffer
	var want []event
	for i, size := range []int{1, 100_000, 10, 0, 300_000, 300_000, 5} {
		data := strings.Repeat(fmt.Sprint(i), size)
		fmt.Fprintf(&stream, "data: %s\n\n", data)
		want = append(want, event{fmt.Sprintf("%q", data), "none", true})
	}
	got, _, err := frames(&steps{stream: stream.String(), n: 1000}, 1<<20)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestFrameReaderHolds: a reader holds no more than the event in hand, and its data once more when that has several lines; and
// next to nothing when the event is over.
func TestFrameReaderHolds(t *testing.T) {
	const limit, slack = 1 << 20, 1 << 13 // Go's allocator rounds up
	line := "data: " + strings.Repeat("x", limit/2-16) + "\n"
	for name, c := range map[string]struct {
		event string
		most  int
	}{
		"one line":   {"data: " + strings.Repeat("x", limit-8) + "\n\n", limit + slack},
		"two lines":  {line + line + "\n", 2*limit + slack},
		"no line":    {": " + strings.Repeat("x", limit-4) + "\n\n", limit + slack},
		"never ends": {strings.Repeat("x", 2*limit), limit + slack},
	} {
		t.Run(name, func(t *testing.T) {
			f := mcp.NewFrameReader(iotest.HalfReader(strings.NewReader(c.event+"data: y\n\n")), limit)
			_, err := f.Next()
			held := f.Held()
			if held > c.most || held < limit {
				t.Errorf("%d bytes are held, want %d to %d", held, limit, c.most)
			}
			if errors.Is(err, mcp.ErrFrameTooLong) {
				return
			}
			if fr, err := f.Next(); err != nil || string(fr.Data) != "y" {
				t.Fatalf("the next event: %q, %v", fr.Data, err)
			}
			if _, err := f.Next(); !errors.Is(err, io.EOF) {
				t.Fatalf("the end: %v", err)
			}
			if held := f.Held(); held > 1<<16 {
				t.Errorf("%d bytes are held after it", held)
			}
		})
	}
}
