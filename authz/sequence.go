package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"

	"sark/internal/atomicfile"
)

// sequenceKey is the member of a manifest's metadata that numbers the bundle. A signature covers the manifest, so whoever
// merely serves bundles cannot give an old one a new number.
const sequenceKey = "sequence"

// readSequences returns the names of the bundles, and the numbers of those that have one.
func readSequences(ctx context.Context, from storage.Store, txn storage.Transaction) ([]string, map[string]int64, error) {
	names, err := bundle.ReadBundleNamesFromStore(ctx, from, txn)
	if err != nil && !storage.IsNotFound(err) {
		return nil, nil, fmt.Errorf("read bundle names: %w", err)
	}
	found := map[string]int64{}
	for _, name := range names {
		metadata, err := bundle.ReadBundleMetadataFromStore(ctx, from, txn, name)
		if err != nil && !storage.IsNotFound(err) {
			return nil, nil, fmt.Errorf("read metadata of bundle %q: %w", name, err)
		}
		n, numbered, err := sequenceOf(name, metadata)
		if err != nil {
			return nil, nil, err
		}
		if numbered {
			found[name] = n
		}
	}
	return names, found, nil
}

// sequenceOf returns the number that the metadata of a bundle's manifest name, if any.
func sequenceOf(name string, metadata map[string]any) (n int64, numbered bool, err error) {
	value, ok := metadata[sequenceKey]
	if !ok {
		return 0, false, nil
	}
	n, err = json.Number(fmt.Sprint(value)).Int64()
	if err != nil {
		return 0, false, fmt.Errorf("bundle %q: metadata.%s of its manifest is %v, not a whole number", name, sequenceKey, value)
	}
	return n, true, nil
}

// sequences are the highest numbers of bundles that were in force. Those of downloaded bundles are kept in a file, so that a
// restart is no way to bring back an older one. It is used under the store's write lock alone.
type sequences struct {
	file    string // empty keeps nothing
	highest map[string]int64
}

// openSequences reads a file that keep has written; one that is not there yet says nothing.
func openSequences(file string) (*sequences, error) {
	s := &sequences{file: file, highest: map[string]int64{}}
	if file == "" {
		return s, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // a path of the operator's own
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the latest numbers of policy bundles: %w", err)
	}
	if err := json.Unmarshal(text, &s.highest); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): it holds the latest number of each policy bundle; "+
			"put a copy back, or delete it to begin with what is served next", file, err)
	}
	return s, nil
}

// admitManifest refuses a bundle that is about to be activated and is older than what was in force under its name before. A
// bundle that lost its number counts as older.
func (s *sequences) admitManifest(name string, manifest any) error {
	m, _ := manifest.(map[string]any)
	metadata, _ := m["metadata"].(map[string]any)
	n, numbered, err := sequenceOf(name, metadata)
	if err != nil {
		return err
	}
	latest, known := s.highest[name]
	switch {
	case !known, numbered && n >= latest:
		return nil
	case numbered:
		return fmt.Errorf("bundle %q is older, %s %d, than %d, which was in force: %s", name, sequenceKey, n, latest, s.wayBack(name))
	}
	return fmt.Errorf("bundle %q has no %s, and %d was in force: %s", name, sequenceKey, latest, s.wayBack(name))
}

// admit refuses a program that has lost a numbered bundle of the one in force, or holds one that is older: admitManifest has
// refused each of those that came since the start. The program in force may be nil.
func (s *sequences) admit(p *program, inForce *snapshot) error {
	for name, latest := range s.highest {
		n, numbered := p.sequence[name]
		switch {
		case numbered && n >= latest:
		case numbered:
			return fmt.Errorf("bundle %q is older, %s %d, than %d, which was in force: %s", name, sequenceKey, n, latest, s.wayBack(name))
		case slices.Contains(p.bundles, name), inForce != nil && slices.Contains(inForce.bundles, name):
			return fmt.Errorf("bundle %q has no %s, and %d was in force: %s", name, sequenceKey, latest, s.wayBack(name))
		}
	}
	return nil
}

// wayBack says how to go back on purpose.
func (s *sequences) wayBack(name string) string {
	if s.file == "" {
		return "restart the gateway to go back on purpose"
	}
	return fmt.Sprintf("to go back on purpose, publish the old policy with a higher number, or remove %q from %s and restart the gateway",
		name, s.file)
}

// keep remembers the numbers of a program that comes into force. On an error they hold until the process ends.
func (s *sequences) keep(p *program) error {
	changed := false
	for name, n := range p.sequence {
		if latest, ok := s.highest[name]; !ok || n > latest {
			s.highest[name], changed = n, true
		}
	}
	if !changed || s.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(s.highest, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.file, append(text, '\n'))
}
