package authz

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
)

// sequenceKey is the member of a manifest's metadata that numbers the bundle. A signature covers the manifest, so whoever
// merely serves bundles cannot give an old one a new number.
const sequenceKey = "sequence"

// readSequences returns the numbers of the bundles that have one.
func readSequences(ctx context.Context, from storage.Store, txn storage.Transaction) (map[string]int64, error) {
	names, err := bundle.ReadBundleNamesFromStore(ctx, from, txn)
	if err != nil && !storage.IsNotFound(err) {
		return nil, fmt.Errorf("read bundle names: %w", err)
	}
	found := map[string]int64{}
	for _, name := range names {
		metadata, err := bundle.ReadBundleMetadataFromStore(ctx, from, txn, name)
		if err != nil && !storage.IsNotFound(err) {
			return nil, fmt.Errorf("read metadata of bundle %q: %w", name, err)
		}
		value, ok := metadata[sequenceKey]
		if !ok {
			continue
		}
		n, err := json.Number(fmt.Sprint(value)).Int64()
		if err != nil {
			return nil, fmt.Errorf("bundle %q: metadata.%s of its manifest is %v, not a whole number", name, sequenceKey, value)
		}
		found[name] = n
	}
	return found, nil
}

// succeeds refuses a program one of whose bundles is older than that of the program in force, which may be nil. A bundle that
// lost its number counts as older.
func (p *program) succeeds(inForce *snapshot) error {
	if inForce == nil {
		return nil
	}
	for name, latest := range inForce.sequence {
		n, ok := p.sequence[name]
		switch {
		case !ok:
			return fmt.Errorf("bundle %q has no %s, and %d is in force: restart the gateway to go back on purpose", name, sequenceKey, latest)
		case n < latest:
			return fmt.Errorf("bundle %q is older, %s %d, than what is in force, %d: restart the gateway to go back on purpose",
				name, sequenceKey, n, latest)
		}
	}
	return nil
}
