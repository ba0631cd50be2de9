package spool

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// The reader of records is not exported: it is fuzzed from inside.

// sample is three records as they stand in a segment.
func sample() []byte {
	var b []byte
	for i, k := range []kind{kindIntent, kindEvent, kindGap} {
		var at int
		b, at = beginRecord(b, k, i == 0, uint64(i), bytes.Repeat([]byte{byte(i)}, 10*i))
		endRecord(b, at)
	}
	return b
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte{})
	f.Add(sample())
	f.Add(sample()[:50])
	f.Add(append([]byte("damage"), sample()...))
	f.Add(append(bytes.Repeat(recordMagic, 3), sample()[3:]...))
	f.Fuzz(func(t *testing.T, noise []byte) {
		good := sample()
		file := append(append([]byte(nil), noise...), good...)
		sc := newScanner(bytes.NewReader(file), 0)
		read, last := 0, int64(-1)
		for {
			_, err := sc.next()
			if errors.Is(err, io.EOF) {
				break
			}
			var d *damage
			if err != nil && !errors.As(err, &d) {
				t.Fatal(err)
			}
			if sc.offset() <= last {
				t.Fatalf("no progress at %d", last)
			}
			last = sc.offset()
			if err == nil {
				read++
			}
		}
		if last != int64(len(file)) {
			t.Errorf("ended at %d of %d", last, len(file))
		}
		if read < 3 && !bytes.Contains(noise, recordMagic) && !bytes.HasPrefix(recordMagic, noise) {
			t.Errorf("%d records found behind %d bytes of noise", read, len(noise))
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	h := header{first: 7, columns: columnList(1)}
	f.Add(h.append(nil))
	f.Add([]byte("SARKSPL\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, err := parseHeader(b)
		if err != nil {
			return
		}
		if again := h.append(nil); !bytes.Equal(again, b[:size]) {
			t.Errorf("header %x becomes %x", b[:size], again)
		}
	})
}
