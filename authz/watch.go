package authz

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"sark/internal/watch"
)

// fingerprint stands for the state of a local bundle's files: names, sizes, times and modes.
type fingerprint [sha256.Size]byte

// watch reloads a local bundle when its files change. loaded is how the files were before they were read. The context ends
// it.
func (e *Engine) watch(ctx context.Context, interval time.Duration, loaded fingerprint) {
	watch.Poll(ctx, interval, loaded, e.source.fingerprint, func(now fingerprint) fingerprint {
		e.reloadGuarded(ctx)
		return now
	})
}

// reloadGuarded is Reload in a goroutine of ours, where a panic would end the process: the last good policy stays in force.
func (e *Engine) reloadGuarded(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			e.fail(failure{err: fmt.Errorf("BUG: reading the policy panicked: %v\n%s", p, debug.Stack())})
		}
	}()
	_ = e.Reload(ctx) // the engine keeps, counts and logs the error
}

// fingerprint looks at the files through symbolic links, and reads none of them. What cannot be looked at counts as absent,
// and the built-in policy has no files.
func (s *source) fingerprint() fingerprint {
	if s.path == "" { // EvalSymlinks would take it for the working directory
		return fingerprint{}
	}
	root, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return fingerprint{}
	}
	h, skipped := sha256.New(), ignoredBelow(root)
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil
		}
		if skipped(path, info, 0) {
			return skip(d)
		}
		_, _ = fmt.Fprintf(h, "%q %d %d %v\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	return fingerprint(h.Sum(nil))
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}
