package audit_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/audit"
)

// TestFormats: each format has all columns of the one before it, and more.
func TestFormats(t *testing.T) {
	before := 0
	for format := int32(1); format <= audit.Format; format++ {
		var want []audit.Column
		for _, c := range audit.Columns() {
			if c.Since <= format {
				want = append(want, c)
			}
		}
		got := audit.FormatColumns(format)
		if diff := cmp.Diff(want, got); diff != "" || len(got) <= before {
			t.Errorf("format %d, %d columns after %d (-since +count):\n%s", format, len(got), before, diff)
		}
		before = len(got)
	}
	for _, format := range []int32{-1, 0, audit.Format + 1} {
		if got := audit.FormatColumns(format); got != nil {
			t.Errorf("format %d: %v", format, got)
		}
	}
	if i := formatColumn(); audit.Columns()[i].Since != 2 {
		t.Errorf("column %d", i)
	}
}

func formatColumn() int {
	return slices.IndexFunc(audit.Columns(), func(c audit.Column) bool { return c.Name == "format" })
}

// first is an event of the first format as a gateway sealed it: the hash after its writer's beginning.
func first(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/format1.hex")
	if err != nil {
		t.Fatal(err)
	}
	tuple, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return tuple
}

// TestFirstFormatStaysReadable takes an event of the first format through every form in which events are kept.
func TestFirstFormatStaysReadable(t *testing.T) {
	tuple := first(t)
	if err := audit.NewChain(chainWriter, 0, audit.GenesisHash(chainWriter)).Verify(tuple); err != nil {
		t.Errorf("its chain: %v", err)
	}
	e, err := audit.DecodeTuple(tuple)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleEvent()
	want.Format, want.WriterID, want.Seq = 1, chainWriter, 1
	want.ID, want.ExchangeID, want.DecisionID, want.Hash = e.ID, e.ExchangeID, e.DecisionID, e.Hash
	if diff := cmp.Diff(want, e, compareEvents); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}

	text, err := audit.AppendJSON(nil, tuple)
	if err != nil {
		t.Fatal(err)
	}
	if rendered, err := e.MarshalJSON(); err != nil || !bytes.Equal(text, rendered) {
		t.Errorf("the event is rendered as %s, %v\nits tuple as %s", rendered, err, text)
	}
	again, err := audit.ParseJSON(nil, text)
	if err != nil || !bytes.Equal(tuple, again) {
		t.Errorf("from JSON: %x, %v\nwant %x", again, err, tuple)
	}

	var fields audit.Fields
	if err := audit.SplitTuple(tuple, &fields); err != nil {
		t.Fatal(err)
	}
	again, err = audit.JoinTuple(nil, &fields)
	if err != nil || !bytes.Equal(tuple, again) {
		t.Errorf("from fields: %x, %v\nwant %x", again, err, tuple)
	}

	anew := audit.AppendTuple(nil, &e)
	if got := audit.TupleFormat(anew); got != audit.Format {
		t.Errorf("encoded anew it has format %d", got)
	}
}

// TestFormatsOfRows are rows that no gateway has written.
func TestFormatsOfRows(t *testing.T) {
	e := sampleEvent()
	old, today := first(t), audit.AppendTuple(nil, &e)
	at := formatColumn()
	for name, c := range map[string]struct {
		tuple  []byte
		change func(*audit.Fields)
		newer  bool
	}{
		"the first format has no name": {old, func(f *audit.Fields) { f[at] = audit.Int4Field(1) }, false},
		"zero":                         {today, func(f *audit.Fields) { f[at] = audit.Int4Field(0) }, false},
		"negative":                     {today, func(f *audit.Fields) { f[at] = audit.Int4Field(-2) }, false},
		"no number":                    {today, func(f *audit.Fields) { f[at] = []byte{0, 2} }, false},
		"newer":                        {today, func(f *audit.Fields) { f[at] = audit.Int4Field(audit.Format + 1) }, true},
	} {
		var fields audit.Fields
		if err := audit.SplitTuple(c.tuple, &fields); err != nil {
			t.Fatal(err)
		}
		c.change(&fields)
		_, err := audit.JoinTuple(nil, &fields)
		if errors.Is(err, audit.ErrTuple) == c.newer || errors.Is(err, audit.ErrNewer) != c.newer {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := audit.DecodeFields(&fields); (err == nil) == (name == "no number") {
			t.Errorf("%s: read with error %v", name, err)
		}
	}

	// A row that hides its format is one of the first: another event, which the chain does not have.
	var fields audit.Fields
	if err := audit.SplitTuple(today, &fields); err != nil {
		t.Fatal(err)
	}
	fields[at] = nil
	hidden, err := audit.JoinTuple(nil, &fields)
	if err != nil || bytes.Equal(hidden, today) || audit.TupleFormat(hidden) != 1 {
		t.Errorf("hidden: %x, %v", hidden, err)
	}
}

// TestTuplesThatLie have the columns of one format and name another.
func TestTuplesThatLie(t *testing.T) {
	e := sampleEvent()
	tuple := audit.AppendTuple(nil, &e)
	at := bytes.LastIndex(tuple, []byte{0, 0, 0, 4, 0, 0, 0, audit.Format})
	for _, says := range []uint32{0, 1, audit.Format + 1} {
		binary.BigEndian.PutUint32(tuple[at+4:], says)
		if _, err := audit.DecodeTuple(tuple); !errors.Is(err, audit.ErrTuple) {
			t.Errorf("format %d: error %v", says, err)
		}
	}
}

func TestJSONOfANewerFormat(t *testing.T) {
	_, err := audit.ParseJSON(nil, []byte(`{"format":1000,"hindsight":"x"}`))
	if !errors.Is(err, audit.ErrNewer) {
		t.Errorf("error %v", err)
	}
	if _, err := audit.ParseJSON(nil, []byte(`{"format":2,"hindsight":"x"}`)); !errors.Is(err, audit.ErrTuple) {
		t.Errorf("unknown column: error %v", err)
	}
}
