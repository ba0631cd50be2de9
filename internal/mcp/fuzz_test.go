package mcp_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

// FuzzParse holds Parse against encoding/json, for readers that mind case and that do not.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body, version, method, name []byte) {
		checkParse(t, body, mcp.Header{})
		checkParse(t, body, mcp.Header{ProtocolVersion: version, Method: method, Name: name})
	})
}

// FuzzParseReply holds ParseReply against encoding/json.
func FuzzParseReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) { checkReply(t, message) })
}

// FuzzFilterList filters and compares with the same filter on a decoded tree.
func FuzzFilterList(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) { checkFilter(t, message) })
}

// FuzzFrameReader reads a stream at once and in pieces, and compares both with a reader of the whole text.
func FuzzFrameReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte, n uint8, data []byte) {
		want := reference(string(stream))
		for _, r := range []io.Reader{bytes.NewReader(stream), &steps{stream: string(stream), n: int(n) + 1}} {
			got, raw, err := frames(r, frameLimit)
			if errors.Is(err, mcp.ErrFrameTooLong) {
				return
			}
			if !errors.Is(err, io.EOF) || !bytes.Equal(raw, stream) {
				t.Fatalf("read %q, %v, want %q", raw, err, stream)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q (-want +got):\n%s", stream, diff)
			}
		}
		checkReplaced(t, stream, data)
	})
}

// checkReplaced puts data into the first frame, reads it again and expects it.
func checkReplaced(t *testing.T, stream, data []byte) {
	t.Helper()
	fr, err := mcp.NewFrameReader(bytes.NewReader(stream), frameLimit).Next()
	if err != nil || !fr.Complete || fr.Data == nil {
		return
	}
	again, err := mcp.NewFrameReader(bytes.NewReader(fr.AppendWithData(nil, data)), 2*frameLimit+10*len(data)).Next()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	want := event{quoted(append([]byte{}, lines...)), quoted(fr.ID), true}
	if diff := cmp.Diff(want, event{quoted(again.Data), quoted(again.ID), again.Complete}); diff != "" {
		t.Fatalf("%q with %q (-want +got):\n%s", stream, data, diff)
	}
}
