package authz

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
)

// Bundle is a bundle that the engine has loaded.
type Bundle struct {
	// Name is that of the configuration; sark for a local policy.
	Name string
	// Revision is the one that the bundle names, or the digest of a local policy's files.
	Revision string
	// Roots are the parts of data that the bundle owns; one empty root is all of it.
	Roots []string
	// Path is where a local policy is read from; empty for what is built in and for downloads.
	Path string
}

// Bundles returns the loaded bundles by name. They are those in force unless LastError says that they could not be.
func (e *Engine) Bundles(ctx context.Context) ([]Bundle, error) {
	var found []Bundle
	err := storage.Txn(ctx, e.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		names, err := bundle.ReadBundleNamesFromStore(ctx, e.store, txn)
		if err != nil && !storage.IsNotFound(err) {
			return fmt.Errorf("read bundle names: %w", err)
		}
		slices.Sort(names)
		for _, name := range names {
			b := Bundle{Name: name}
			if b.Revision, err = bundle.ReadBundleRevisionFromStore(ctx, e.store, txn, name); err != nil && !storage.IsNotFound(err) {
				return fmt.Errorf("read revision of bundle %q: %w", name, err)
			}
			if b.Roots, err = bundle.ReadBundleRootsFromStore(ctx, e.store, txn, name); err != nil && !storage.IsNotFound(err) {
				return fmt.Errorf("read roots of bundle %q: %w", name, err)
			}
			if e.source != nil {
				b.Path = e.source.path
			}
			found = append(found, b)
		}
		return nil
	})
	return found, err
}
