package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"path/filepath"
)

// output is a file that is being written.
type output struct {
	path, temporary string
	f               *os.File
	buffer          *bufio.Writer
	sum             hash.Hash
	size, rows      int64
	named           bool // it is at path, no longer at temporary
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.buffer.Write(b)
	o.sum.Write(b[:n])
	o.size += int64(n)
	return n, err
}

// finish makes the content durable.
func (o *output) finish() error { return errors.Join(o.buffer.Flush(), o.f.Sync(), o.f.Close()) }

func (o *output) file() File {
	return File{Name: filepath.Base(o.path), SHA256: hex.EncodeToString(o.sum.Sum(nil)), Bytes: o.size, Rows: o.rows}
}

func (x *run) create(path string) (*output, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // its mode is 0600
	if err != nil {
		return nil, err
	}
	out := &output{path: path, temporary: f.Name(), f: f, buffer: bufio.NewWriterSize(f, 1<<16), sum: sha256.New()}
	x.outputs = append(x.outputs, out)
	return out, nil
}
