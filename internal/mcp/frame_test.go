package mcp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func firstFrame(t *testing.T, stream string) mcp.Frame {
	t.Helper()
	fr, err := mcp.NewFrameReader(strings.NewReader(stream), frameLimit).Next()
	if err != nil {
		t.Fatal(err)
	}
	return fr
}

func TestAppendWithData(t *testing.T) {
	tests := []struct{ name, frame, data, want string }{
		{"simple", "data: a\n\n", "b", "data: b\n\n"},
		{"other lines stay", "event: message\nid: 7\n: c\ndata:a\nretry: 5\n\n", "b", "event: message\nid: 7\n: c\ndata: b\nretry: 5\n\n"},
		{"many lines become one", "data: {\nid: 1\ndata: }\n\n", "{}", "data: {}\nid: 1\n\n"},
		{"one line becomes many", "data: {}\nid: 1\n\n", "{\n}", "data: {\ndata: }\nid: 1\n\n"},
		{"CRLF stays", "id: 1\r\ndata: a\r\n\r\n", "b\nc", "id: 1\r\ndata: b\r\ndata: c\r\n\r\n"},
		{"carriage returns stay", "data: a\rdata: b\r\r", "c\nd", "data: c\rdata: d\r\r"},
		{"carriage returns in data end lines", "data: a\n\n", "b\rc\r\nd", "data: b\ndata: c\ndata: d\n\n"},
		{"empty data", "data: a\n\n", "", "data: \n\n"},
		{"data that ends in a line end", "data: a\n\n", "b\n", "data: b\ndata: \n\n"},
		{"no data line", "id: 1\nretry: 5\n\n", "b", "id: 1\nretry: 5\n\n"},
		{"look-alikes stay", "Data: x\ndatax: y\n:data: z\ndata\n\n", "b", "Data: x\ndatax: y\n:data: z\ndata: b\n\n"},
		{"byte order mark stays", "\ufeffdata: a\n\n", "b", "\ufeffdata: b\n\n"},
		{"mixed line ends do not merge", "data: a\rdata: b\n\n", "c", "data: c\r\n\n"},
		{"mixed line ends after another line", "data: a\nid: 1\rdata: b\n\n", "c", "data: c\nid: 1\r\n\n"},
		{"cut frame", "id: 1\ndata: a", "b\nc", "id: 1\ndata: b\ndata: c\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fr := firstFrame(t, tt.frame)
			got := string(fr.AppendWithData([]byte("before|"), []byte(tt.data)))
			if diff := cmp.Diff("before|"+tt.want, got); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

// What AppendWithData wrote is what a reader gets.
func TestAppendWithDataReadsBack(t *testing.T) {
	for name, stream := range streams {
		if stream == "" {
			continue
		}
		fr := firstFrame(t, stream)
		if fr.Data == nil || !fr.Complete {
			continue
		}
		for _, data := range []string{"", "x", "x\ny", "x\n", "\n", "\n\n", " x", "data: y"} {
			again := firstFrame(t, string(fr.AppendWithData(nil, []byte(data))))
			want := event{quoted([]byte(data)), quoted(fr.ID), true}
			if diff := cmp.Diff(want, event{quoted(again.Data), quoted(again.ID), again.Complete}); diff != "" {
				t.Errorf("%s with %q (-want +got):\n%s", name, data, diff)
			}
		}
	}
}

func TestAppendFrame(t *testing.T) {
	tests := map[string]string{
		`{"a":1}`: "event: message\ndata: {\"a\":1}\n\n",
		"{\n}":    "event: message\ndata: {\ndata: }\n\n",
		"{\r\n}":  "event: message\ndata: {\ndata: }\n\n",
		"{\r}":    "event: message\ndata: {\ndata: }\n\n",
		"":        "event: message\ndata: \n\n",
	}
	for data, want := range tests {
		if diff := cmp.Diff(want, string(mcp.AppendFrame(nil, []byte(data)))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", data, diff)
		}
	}
}
