package aside

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// DefaultInterval is the pause between two looks at the folders.
const DefaultInterval = time.Minute

// Folder is a folder, with all below it.
type Folder struct {
	Name string // in metrics, logs and removals
	Dir  string // it need not exist
}

// Removal is what was removed from a folder at once.
type Removal struct {
	Folder string
	Files  int
	Bytes  int64
	First  string // the oldest file, by its name
	Last   string // the newest
}

// Options say what is bounded.
type Options struct {
	Folders []Folder
	// MaxBytes bounds each folder; 0 does not.
	MaxBytes int64
	// MaxAge is how long a file stays, counted from when it was written; 0 is for ever.
	MaxAge time.Duration
	// Removed is told what was removed. It may be nil.
	Removed func(Removal)
	// Interval is the pause between two rounds; 0 is DefaultInterval.
	Interval time.Duration
	// Log is required.
	Log *zap.Logger
	// Metrics registers the metrics sark_store_aside_*; nil registers nothing.
	Metrics prometheus.Registerer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Bounds keeps folders within their bounds.
type Bounds struct {
	o       Options
	bytes   *prometheus.GaugeVec
	removed *prometheus.CounterVec
}

// New checks the options; Run sets it to work.
func New(o Options) (*Bounds, error) {
	if o.Log == nil || o.MaxBytes < 0 || o.MaxAge < 0 || o.Interval < 0 {
		return nil, errors.New("bounds of what is set aside: Log is required, and nothing is negative")
	}
	o.Interval = cmp.Or(o.Interval, DefaultInterval)
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Bounds{
		o: o,
		bytes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sark_store_aside_bytes", Help: "Size of the files in a folder of what was set aside.",
		}, []string{"folder"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sark_store_aside_removed_total", Help: "Files removed from a folder of what was set aside, for their age or its size.",
		}, []string{"folder"}),
	}
	for _, f := range o.Folders {
		b.removed.WithLabelValues(f.Name)
	}
	if o.Metrics == nil {
		return b, nil
	}
	return b, errors.Join(o.Metrics.Register(b.bytes), o.Metrics.Register(b.removed))
}

// Run looks at the folders until ctx ends, at once and then after each interval. A panic is its caller's.
func (b *Bounds) Run(ctx context.Context) {
	tick := time.NewTicker(b.o.Interval)
	defer tick.Stop()
	for {
		b.Round()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round looks at each folder once. It is for one goroutine at a time.
func (b *Bounds) Round() {
	for _, f := range b.o.Folders {
		if err := b.bound(f); err != nil {
			b.o.Log.Error("a folder of what was set aside cannot be kept within its bounds", zap.String("folder", f.Dir), zap.Error(err))
		}
	}
}

func (b *Bounds) bound(f Folder) (err error) {
	files, err := list(f.Dir)
	if err != nil {
		return err
	}
	var size int64
	for _, x := range files {
		size += x.size
	}
	r := Removal{Folder: f.Name}
	for _, x := range files {
		old := b.o.MaxAge > 0 && b.o.Now().Sub(x.written) > b.o.MaxAge
		if !old && (b.o.MaxBytes == 0 || size <= b.o.MaxBytes) {
			break
		}
		if err = os.Remove(x.path); err != nil {
			break
		}
		size -= x.size
		r.Files++
		r.Bytes += x.size
		r.First, r.Last = cmp.Or(r.First, filepath.Base(x.path)), filepath.Base(x.path)
	}
	b.bytes.WithLabelValues(f.Name).Set(float64(size))
	if r.Files > 0 {
		b.removed.WithLabelValues(f.Name).Add(float64(r.Files))
		b.o.Log.Error("what was set aside is removed for its age or size", zap.String("folder", f.Dir), zap.Int("files", r.Files),
			zap.Int64("bytes", r.Bytes), zap.String("first", r.First), zap.String("last", r.Last))
		if b.o.Removed != nil {
			b.o.Removed(r)
		}
	}
	return err
}

// file is one that was set aside.
type file struct {
	path    string
	size    int64
	written time.Time
}

// list returns the files of a folder, oldest first. Those that are being written are not among them.
func list(dir string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was set aside, or somebody else removed it
		}
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".new") {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, file{path: path, size: info.Size(), written: info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(a.written.Compare(b.written), cmp.Compare(a.path, b.path)) })
	return files, nil
}
