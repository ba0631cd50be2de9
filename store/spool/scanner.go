package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// window is how much of a segment is read at once; it grows for a record that is larger.
const window = 256 << 10

// damage is an error of the scanner: a stretch of a segment in which there is no record.
type damage struct {
	from, to int64 // offsets in the file
	tail     bool  // no record follows in this segment
}

func (d *damage) Error() string {
	return fmt.Sprintf("no record in bytes %d to %d", d.from, d.to)
}

// scanner reads the records of a segment one after the other, and finds the next one after damage.
type scanner struct {
	file io.ReaderAt
	base int64  // the file's offset of buf[0]
	buf  []byte // bytes of the file
	off  int    // buf[:off] was read
	done bool   // buf ends where the file ended when it was last asked
}

func newScanner(file io.ReaderAt, offset int64) *scanner { return &scanner{file: file, base: offset} }

// offset is where in the file the next record is expected.
func (s *scanner) offset() int64 { return s.base + int64(s.off) }

// next returns the next record, valid until the call after it; io.EOF at the end; or a damage after which it can be called
// again.
func (s *scanner) next() (record, error) {
	for {
		r, size, v := parseRecord(s.buf[s.off:])
		switch {
		case v == sound:
			s.off += size
			return r, nil
		case v == short && !s.done:
			if err := s.fill(); err != nil {
				return record{}, err
			}
		case v == short && s.off == len(s.buf):
			s.done = false // the file may grow
			return record{}, io.EOF
		default:
			return record{}, s.resync()
		}
	}
}

// resync moves to the next sound record, or to the end of the file.
func (s *scanner) resync() error {
	d := &damage{from: s.offset()}
	s.off++
	for {
		i := bytes.Index(s.buf[s.off:], recordMagic)
		if i < 0 && s.done {
			s.off, s.done = len(s.buf), false
			d.to, d.tail = s.offset(), true
			return d
		}
		if i < 0 {
			s.off = max(s.off, len(s.buf)-len(recordMagic)+1) // a magic may be cut by the window's end
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		s.off += i
		switch _, _, v := parseRecord(s.buf[s.off:]); {
		case v == sound:
			d.to = s.offset()
			return d
		case v == short && !s.done:
			if err := s.fill(); err != nil {
				return err
			}
		default:
			s.off++
		}
	}
}

// refresh forgets what was read ahead: the file may have grown, and its last record may have been read while it was written.
func (s *scanner) refresh() { s.base, s.buf, s.off, s.done = s.offset(), s.buf[:0], 0, false }

// fill forgets what was read and adds a window of the file.
func (s *scanner) fill() error {
	s.base += int64(s.off)
	rest := copy(s.buf, s.buf[s.off:])
	s.buf, s.off = s.buf[:rest], 0
	if cap(s.buf) < rest+window {
		s.buf = append(make([]byte, 0, 2*(rest+window)), s.buf...)
	}
	n, err := s.file.ReadAt(s.buf[rest:rest+window], s.base+int64(rest))
	s.buf = s.buf[:rest+n]
	s.done = errors.Is(err, io.EOF)
	if err != nil && !s.done {
		return fmt.Errorf("read segment: %w", err)
	}
	return nil
}
