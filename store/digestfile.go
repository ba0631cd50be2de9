package store

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/google/uuid"
)

// DigestFileOptions say where a copy of the digests is kept.
type DigestFileOptions struct {
	// Path is the file; it is made when missing, readable by its owner only. Required.
	Path string
	// Sync makes every digest survive a power cut before the shipper goes on.
	Sync bool
}

// DigestFile is a copy of the digests, one JSON object a line, to which lines are only ever added. Kept where those who can
// write to the database cannot, it proves a tail that was cut off, or a history that was written anew. A shipper owns it.
type DigestFile struct {
	file *os.File
	sync bool
	size int64 // of the whole lines
	last map[uuid.UUID]int64
}

// OpenDigestFile opens the file to add to it. A last line that a crash has cut short is removed.
func OpenDigestFile(o DigestFileOptions) (*DigestFile, error) {
	file, err := os.OpenFile(o.Path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open digest file: %w", err)
	}
	f := &DigestFile{file: file, sync: o.Sync, last: make(map[uuid.UUID]int64)}
	if err := f.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open digest file %s: %w", o.Path, err), file.Close())
	}
	return f, nil
}

func (f *DigestFile) load() error {
	r := bufio.NewReader(f.file)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return f.file.Truncate(f.size)
		}
		if err != nil {
			return err
		}
		var d Digest
		if err := json.Unmarshal(line, &d); err != nil {
			return fmt.Errorf("at byte %d: %w", f.size, err)
		}
		f.size += int64(len(line))
		f.last[d.Writer] = max(f.last[d.Writer], d.First)
	}
}

// Last is the First of the writer's newest digest in the file, 0 when it has none.
func (f *DigestFile) Last(writer uuid.UUID) int64 { return f.last[writer] }

// Append adds a digest. When it fails, nothing was added.
func (f *DigestFile) Append(d *Digest) error {
	line, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("append to digest file: %w", err)
	}
	line = append(line, '\n')
	_, err = f.file.Write(line)
	if err == nil && f.sync {
		err = f.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("append to digest file: %w", errors.Join(err, f.file.Truncate(f.size)))
	}
	f.size += int64(len(line))
	f.last[d.Writer] = d.First
	return nil
}

// DigestReader is where a digest file gets its digests from: a DigestSink, or a Trail.
type DigestReader interface {
	Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]Digest, error)
}

// Extend adds the digests of a writer that the file does not have yet.
func (f *DigestFile) Extend(ctx context.Context, from DigestReader, writer uuid.UUID) error {
	const page = 500
	for {
		digests, err := from.Digests(ctx, writer, f.Last(writer), page)
		if err != nil {
			return err
		}
		for i := range digests {
			if err := f.Append(&digests[i]); err != nil {
				return err
			}
		}
		if len(digests) < page {
			return nil
		}
	}
}

// Close closes the file.
func (f *DigestFile) Close() error { return f.file.Close() }

// ReadDigests reads a digest file from its beginning, one digest after the other. A line that is no digest ends it with an
// error that names the line.
func ReadDigests(r io.Reader) iter.Seq2[Digest, error] {
	return func(yield func(Digest, error) bool) {
		lines := bufio.NewScanner(r)
		for n := 1; lines.Scan(); n++ {
			var d Digest
			if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
				yield(d, fmt.Errorf("line %d of the digest file: %w", n, err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Digest{}, fmt.Errorf("read the digest file: %w", err))
		}
	}
}

// digestLine is a digest in a digest file.
type digestLine struct {
	Writer    uuid.UUID `json:"writer_id"`
	First     int64     `json:"first_seq"`
	Last      int64     `json:"last_seq"`
	Root      string    `json:"merkle_root"`
	Previous  string    `json:"previous_digest_hash"`
	CreatedAt time.Time `json:"created_at"`
	KeyID     string    `json:"key_id"`
	Signature string    `json:"signature"`
}

// MarshalJSON writes the digest with the names of its columns, hashes and signature in hexadecimal.
func (d *Digest) MarshalJSON() ([]byte, error) {
	return json.Marshal(digestLine{
		Writer: d.Writer, First: d.First, Last: d.Last, Root: hex.EncodeToString(d.Root[:]),
		Previous: hex.EncodeToString(d.Previous[:]), CreatedAt: d.CreatedAt, KeyID: d.KeyID, Signature: hex.EncodeToString(d.Signature),
	})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (d *Digest) UnmarshalJSON(text []byte) error {
	var l digestLine
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	root, err := parseHash(l.Root)
	if err != nil {
		return fmt.Errorf("merkle_root: %w", err)
	}
	previous, err := parseHash(l.Previous)
	if err != nil {
		return fmt.Errorf("previous_digest_hash: %w", err)
	}
	signature, err := hex.DecodeString(l.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	*d = Digest{
		Writer: l.Writer, First: l.First, Last: l.Last, Root: root, Previous: previous, CreatedAt: l.CreatedAt, KeyID: l.KeyID,
		Signature: signature,
	}
	return nil
}

func parseHash(s string) (h [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err == nil && len(b) != len(h) {
		err = fmt.Errorf("%d bytes instead of %d", len(b), len(h))
	}
	copy(h[:], b)
	return h, err
}
