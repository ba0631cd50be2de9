package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"sark/internal/audit"
	"sark/store"
)

// ErrAltered says that a file is not the one that was exported.
var ErrAltered = errors.New("the file is not the one that was exported")

// CheckFiles holds the files of an export against its manifest. Its error wraps ErrAltered.
func (m *Manifest) CheckFiles(path string) error {
	for _, file := range m.Files {
		if file.Name != filepath.Base(path) && file.Name != filepath.Base(path)+DigestsSuffix {
			return fmt.Errorf("%s: %w: it was exported as %s", filepath.Base(path), ErrAltered, file.Name)
		}
		at := filepath.Join(filepath.Dir(path), file.Name)
		f, err := os.Open(at) //nolint:gosec // the operator's file
		if err != nil {
			return fmt.Errorf("check export: %w", err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("check export: %w", err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != file.SHA256 {
			return fmt.Errorf("%s: %w: its SHA-256 is %s, the manifest says %s", at, ErrAltered, got, file.SHA256)
		}
	}
	return nil
}

// Chained reports whether the export holds what its chain is verified with: all events, with all of their columns.
func (m *Manifest) Chained() bool { return m.Format == NDJSON && len(m.Filter) == 0 }

// Trail reads a chained export as the trail that it was made of.
type Trail struct {
	path     string
	manifest *Manifest
	writer   uuid.UUID // whose digests are held
	digests  []store.Digest
}

// OpenTrail reads an export whose files were checked.
func OpenTrail(path string, m *Manifest) *Trail { return &Trail{path: path, manifest: m} }

// Writers implements store.Trail.
func (t *Trail) Writers(context.Context) ([]store.WriterState, error) {
	var writers []store.WriterState
	for _, w := range t.manifest.Writers {
		writers = append(writers, store.WriterState{Writer: w.ID, Offset: w.Offset, Events: w.Rows})
	}
	return writers, nil
}

// RetentionMarks implements store.Trail.
func (t *Trail) RetentionMarks(context.Context) ([]store.RetentionMark, error) {
	return t.manifest.Retention, nil
}

// Events implements store.Trail. Events stand in the order of writers and numbers.
func (t *Trail) Events(ctx context.Context, span store.Span) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		f, err := os.Open(t.path)
		if err != nil {
			yield(store.Row{}, fmt.Errorf("read export: %w", err))
			return
		}
		defer f.Close() //nolint:errcheck // opened for reading
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 16<<20)
		var tuple []byte
		for n := 1; lines.Scan(); n++ {
			if tuple, err = audit.ParseJSON(tuple[:0], lines.Bytes()); err == nil {
				err = ctx.Err()
			}
			writer, seq, _, placeErr := audit.Place(tuple)
			if err = errors.Join(err, placeErr); err != nil {
				yield(store.Row{}, fmt.Errorf("line %d of the export: %w", n, err))
				return
			}
			if writer != span.Writer || seq < span.First || seq > span.Last {
				continue
			}
			if !yield(store.Row{Seq: seq, Tuple: tuple}, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(store.Row{}, fmt.Errorf("read export: %w", err))
		}
	}
}

// Digests implements store.Trail. Those of one writer are held in memory.
func (t *Trail) Digests(_ context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error) {
	if t.writer != writer {
		if err := t.load(writer); err != nil {
			return nil, err
		}
	}
	var page []store.Digest
	for _, d := range t.digests {
		if d.First > after && len(page) < limit {
			page = append(page, d)
		}
	}
	return page, nil
}

func (t *Trail) load(writer uuid.UUID) error {
	f, err := os.Open(t.path + DigestsSuffix)
	if err != nil {
		return fmt.Errorf("read export: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	t.writer, t.digests = writer, nil
	for d, err := range store.ReadDigests(f) {
		if err != nil {
			return err
		}
		if d.Writer == writer {
			t.digests = append(t.digests, d)
		}
	}
	return nil
}
