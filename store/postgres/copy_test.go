package postgres_test

import (
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sark/store/postgres"
)

// TestCopyBytes reads the stream in pieces of every size that matters.
func TestCopyBytes(t *testing.T) {
	tuples := [][]byte{[]byte("one"), []byte("second"), {}, []byte("3")}
	want := "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00onesecond3\xff\xff"
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader,
	} {
		got, err := io.ReadAll(wrap(postgres.CopyBytes(tuples)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
