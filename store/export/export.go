package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"sark/internal/audit"
	"sark/store"
)

// ErrExists says that a file of the export is there already.
var ErrExists = errors.New("a file of that name is there already")

// Options say what is exported where.
type Options struct {
	// Path is the file of events; the others stand beside it, see ManifestSuffix and DigestsSuffix. Required.
	Path string
	// Format is that of the events. Required.
	Format Format
	// Key signs the manifest. Required.
	Key *store.DigestKey
	// Keep chooses events; nil keeps all.
	Keep func(*audit.Event) bool
	// Filter describes Keep in the manifest, by the names of the API's parameters; empty says that all events are kept.
	Filter map[string]string
	// Force replaces files that are there already.
	Force bool
	// Progress is told from time to time how many events were read, and about how many there are. It may be nil.
	Progress func(done, total int64)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

const progressEvery = 4096

// Write exports a trail. When it fails, none of its files is there. Those of an earlier export that Force
// lets it replace are left as they were unless it fails while it gives the files their names.
func Write(ctx context.Context, trail store.Trail, o Options) (*Manifest, error) {
	if o.Path == "" || o.Key == nil || (o.Keep == nil) != (len(o.Filter) == 0) {
		return nil, errors.New("export: options Path and Key are required, Keep and Filter go together")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	x := &run{o: o, trail: trail, manifest: Manifest{
		Version: 1, Format: o.Format, CreatedAt: o.Now().UTC(), Filter: o.Filter, Writers: []Writer{},
		KeyID: o.Key.ID(), PublicKey: store.FormatPublicKey(o.Key.Public()),
	}}
	if err := x.write(ctx); err != nil {
		return nil, fmt.Errorf("export the audit trail: %w", errors.Join(err, x.abandon()))
	}
	return &x.manifest, nil
}

// run is one export.
type run struct {
	o        Options
	trail    store.Trail
	manifest Manifest
	outputs  []*output
	done     int64
	total    int64
}

func (x *run) write(ctx context.Context) error {
	if err := x.free(); err != nil {
		return err
	}
	var err error
	if x.manifest.Retention, err = x.trail.RetentionMarks(ctx); err != nil {
		return err
	}
	events, err := x.create(x.o.Path)
	if err != nil {
		return err
	}
	digests, err := x.create(x.o.Path + DigestsSuffix)
	if err != nil {
		return err
	}
	encoder, err := newEncoder(x.o.Format, events)
	if err != nil {
		return err
	}
	if err := x.writers(ctx, events, digests, encoder); err != nil {
		return err
	}
	if err := encoder.close(); err != nil {
		return err
	}
	for _, out := range x.outputs {
		if err := out.finish(); err != nil {
			return err
		}
		x.manifest.Files = append(x.manifest.Files, out.file())
	}
	return x.publish()
}

// free refuses to replace files, unless it is asked to.
func (x *run) free() error {
	if x.o.Force {
		return nil
	}
	for _, path := range []string{x.o.Path, x.o.Path + DigestsSuffix, x.manifestPath()} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s: %w", path, ErrExists)
		}
	}
	return nil
}

func (x *run) writers(ctx context.Context, events, digests *output, to encoder) error {
	writers, err := x.trail.Writers(ctx)
	if err != nil {
		return err
	}
	for _, state := range writers {
		x.total += state.Events
	}
	for _, state := range writers {
		if state.Foreign != "" {
			return fmt.Errorf("%d events have the writer_id %s, which no gateway has: see sark audit verify", state.Events, state.Foreign)
		}
		w := Writer{ID: state.Writer, Offset: state.Offset}
		if err := x.events(ctx, &w, events, to); err != nil {
			return err
		}
		if w.Rows == 0 && len(x.o.Filter) > 0 {
			continue
		}
		if err := x.digests(ctx, &w, digests); err != nil {
			return err
		}
		x.manifest.Writers = append(x.manifest.Writers, w)
	}
	return nil
}

func (x *run) events(ctx context.Context, w *Writer, out *output, to encoder) error {
	for row, err := range x.trail.Events(ctx, store.Span{Writer: w.ID, First: math.MinInt64, Last: math.MaxInt64}) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		x.progress()
		if row.Damage != nil {
			return fmt.Errorf("event %d of writer %s cannot be read; see sark audit verify: %w", row.Seq, w.ID, row.Damage)
		}
		e, err := audit.DecodeTuple(row.Tuple)
		if err != nil {
			return fmt.Errorf("event %d of writer %s cannot be read; see sark audit verify: %w", row.Seq, w.ID, err)
		}
		if x.o.Keep != nil && !x.o.Keep(&e) {
			continue
		}
		if err := to.write(row.Tuple, &e); err != nil {
			return err
		}
		out.rows++
		x.count(w, &e)
	}
	return nil
}

// count keeps what the manifest says of the events.
func (x *run) count(w *Writer, e *audit.Event) {
	x.manifest.Rows++
	w.Rows++
	w.LastSeq = e.Seq
	if w.FirstSeq == 0 {
		w.FirstSeq = e.Seq
	}
	at := e.Time
	if m := &x.manifest; m.FirstTime == nil || at.Before(*m.FirstTime) {
		m.FirstTime = &at
	}
	if m := &x.manifest; m.LastTime == nil || at.After(*m.LastTime) {
		m.LastTime = &at
	}
}

func (x *run) progress() {
	if x.done++; x.o.Progress != nil && x.done%progressEvery == 0 {
		x.o.Progress(x.done, max(x.done, x.total))
	}
}

// digests writes the digests that account for a writer's events; all of them when all events are exported.
func (x *run) digests(ctx context.Context, w *Writer, out *output) error {
	const page = 500
	for after := int64(math.MinInt64); ; {
		list, err := x.trail.Digests(ctx, w.ID, after, page)
		if err != nil {
			return err
		}
		for i := range list {
			d := &list[i]
			after = d.First
			if len(x.o.Filter) > 0 && (d.Last < w.FirstSeq || d.First > w.LastSeq) {
				continue
			}
			line, err := json.Marshal(d)
			if err != nil {
				return err
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return err
			}
			out.rows++
			w.Digests++
		}
		if len(list) < page {
			return nil
		}
	}
}
