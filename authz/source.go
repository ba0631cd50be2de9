package authz

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"

	"sark/configs/policy"
)

// source is where a local policy is read from.
type source struct {
	path string // a directory or a bundle file; empty for the policy that is built in
}

// errChanging is an error of a moment: whoever watches the files sees them change, and reads again.
var errChanging = errors.New("its files changed while they were read")

// read parses the whole bundle. A bundle without a revision gets a digest of its content as one. Files that change
// meanwhile are an error, because what was read may be half of one revision and half of the next.
func (s *source) read() (*bundle.Bundle, error) {
	before := s.fingerprint()
	b, err := s.parse()
	if err == nil && s.fingerprint() != before {
		err = errChanging
	}
	if err != nil {
		return nil, fmt.Errorf("read policy bundle %s: %w", s.name(), err)
	}
	if b.Manifest.Revision == "" {
		b.Manifest.Revision = digest(b)
	}
	return b, nil
}

func (s *source) name() string {
	if s.path == "" {
		return "built in"
	}
	return s.path
}

func (s *source) parse() (*bundle.Bundle, error) {
	if s.path == "" {
		return parse(bundle.NewFSLoaderWithRoot(policy.FS, "."), ".")
	}
	root, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return parse(bundle.NewDirectoryLoader(root).WithFollowSymlinks(true), root)
	}
	return parseFile(root)
}

func parseFile(path string) (*bundle.Bundle, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return parse(bundle.NewTarballLoaderWithBaseURL(f, ""), "")
}

func parse(files bundle.DirectoryLoader, root string) (*bundle.Bundle, error) {
	b, err := bundle.NewCustomReader(files.WithFilter(ignoredBelow(root))).WithProcessAnnotations(true).Read()
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// ignoredBelow returns what says which files and directories below root are no part of a policy: tests, and hidden ones.
// The latter matters in Kubernetes, where a mounted volume holds every file a second time below its hidden "..data".
func ignoredBelow(root string) filter.LoaderFilter {
	return func(name string, info os.FileInfo, _ int) bool {
		base := path.Base(name)
		if name == filepath.ToSlash(root) || base == bundle.ManifestExt || bundle.IsSignaturesFile(base) {
			return false
		}
		return strings.HasPrefix(base, ".") || (!info.IsDir() && strings.HasSuffix(base, "_test.rego"))
	}
}

// digest names the content of a bundle, whatever the order in which its files were read.
func digest(b *bundle.Bundle) string {
	modules := slices.Clone(b.Modules)
	slices.SortFunc(modules, func(x, y bundle.ModuleFile) int { return strings.Compare(x.Path, y.Path) })
	h := sha256.New()
	for _, m := range modules {
		writeSized(h, []byte(m.Path))
		writeSized(h, m.Raw)
	}
	// The encoder writes maps in key order. Data that was read from JSON can always be written as such.
	_ = json.NewEncoder(h).Encode(b.Data)
	return "sha256:" + hex.EncodeToString(h.Sum(nil)[:8])
}

func writeSized(w io.Writer, b []byte) {
	_, _ = fmt.Fprintf(w, "%d ", len(b)) // a hash never fails
	_, _ = w.Write(b)
}
