package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sark/internal/atomicfile"
	"sark/internal/authn"
	"sark/store"
)

// hashKeySize is the size of a key that we make, in bytes: that of a SHA-256.
const hashKeySize = 32

// hashKey returns the key under which arguments are recorded: the configured one, else the one kept in data_dir, which is
// made at the first start. Losing it means that old digests can no longer be compared with new ones.
func hashKey(configured, dataDir string) ([]byte, error) {
	if configured != "" {
		return []byte(configured), nil
	}
	path := filepath.Join(dataDir, "audit-hash.key")
	text, err := os.ReadFile(path) // #nosec G304 -- a path of the operator's own
	if errors.Is(err, os.ErrNotExist) {
		return makeHashKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the audit hash key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != hashKeySize {
		return nil, fmt.Errorf("%s is damaged: it must hold %d hexadecimal digits; put a copy back, or delete it to start with a new key",
			path, hex.EncodedLen(hashKeySize))
	}
	return key, nil
}

// makeHashKey makes a key and keeps it. The file appears whole or not at all, so that a crash leaves no damaged one.
func makeHashKey(path string) ([]byte, error) {
	key := make([]byte, hashKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make the audit hash key: %w", err)
	}
	if err := atomicfile.Write(path, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("keep the audit hash key: %w", err)
	}
	return key, nil
}

// keyStore finds the API keys that `sark apikey` keeps.
type keyStore struct {
	db interface {
		FindAPIKey(ctx context.Context, id string) (store.APIKey, bool, error)
	}
}

// FindAPIKey implements authn.KeyFinder.
func (k keyStore) FindAPIKey(ctx context.Context, id string) (authn.APIKey, bool, error) {
	key, ok, err := k.db.FindAPIKey(ctx, id)
	if err != nil || !ok {
		return authn.APIKey{}, false, err
	}
	return authn.APIKey{
		ID: key.ID, Hash: key.Hash, Subject: key.Subject, Roles: key.Roles, Teams: key.Teams, Scopes: key.Scopes,
		ExpiresAt: key.ExpiresAt, Revoked: key.Revoked(),
	}, true, nil
}

// localCaller is whoever can open the unix socket, which only the process's own user can.
type localCaller struct{ who *authn.Principal }

func newLocalCaller() localCaller {
	p := *authn.Anonymous([]string{"admin"})
	p.ID, p.Type, p.Method = "local", authn.TypeSystem, authn.MethodLocal
	p.Fingerprint = authn.HashSecret("local unix socket")
	return localCaller{&p}
}

// Authenticate implements proxy.Authenticator.
func (l localCaller) Authenticate(context.Context, authn.Credentials) (*authn.Principal, error) {
	return l.who, nil
}
