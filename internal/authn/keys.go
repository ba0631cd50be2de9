package authn

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"
)

// keyring checks API keys against the configuration and the key store.
type keyring struct {
	configured map[string]APIKey
	store      KeyFinder // nil when there is none
	timeout    time.Duration
}

// newKeyring checks the configured keys and indexes them.
func newKeyring(o Options) (keyring, error) {
	r := keyring{configured: make(map[string]APIKey, len(o.APIKeys)), store: o.KeyStore, timeout: o.KeyTimeout}
	for _, k := range o.APIKeys {
		if !validKeyID(k.ID) {
			return r, fmt.Errorf("API key id %q: must be 1 to %d of a-z, 0-9 and \"-\"", k.ID, maxKeyID)
		}
		if _, twice := r.configured[k.ID]; twice {
			return r, fmt.Errorf("API key id %q: used twice", k.ID)
		}
		if !plainName(k.Subject) {
			return r, fmt.Errorf("API key id %q: a subject of printable characters is required", k.ID)
		}
		if k.Hash == ([32]byte{}) {
			return r, fmt.Errorf("API key id %q: a hash is required", k.ID)
		}
		k.Roles, k.Teams, k.Scopes = clone(k.Roles), clone(k.Teams), clone(k.Scopes)
		r.configured[k.ID] = k
	}
	return r, nil
}

// verify returns the principal of the key, and whether the key comes from the store and so must be asked for again.
// A configured key hides one in the store with the same ID.
func (r *keyring) verify(ctx context.Context, key string, now time.Time) (p *Principal, stored bool, err error) {
	id, secret, ok := ParseAPIKey(key)
	if !ok {
		return nil, false, errKeyMalformed
	}
	known, found := r.configured[id]
	if !found && r.store != nil {
		ctx, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		if known, found, err = r.store.FindAPIKey(ctx, id); err != nil {
			// The cause may name hosts and files: it is the store's to log, and not for the caller to see.
			return nil, true, errKeyStore
		}
		stored = true
	}
	// An unknown key is compared too, so that the time taken does not tell which IDs exist in the configuration.
	hash := HashSecret(secret)
	same := subtle.ConstantTimeCompare(hash[:], known.Hash[:]) == 1
	if !found || !same || known.Revoked || known.Subject == "" {
		return nil, stored, errKeyUnknown
	}
	if !known.ExpiresAt.IsZero() && !now.Before(known.ExpiresAt) {
		return nil, stored, errKeyUnknown
	}
	return keyPrincipal(id, known), stored, nil
}

// keyPrincipal is who calls with key k.
func keyPrincipal(id string, k APIKey) *Principal {
	credential := append([]byte(keyPrefix+id+"_"), k.Hash[:]...)
	return &Principal{
		ID: k.Subject, Type: TypeService, Method: MethodAPIKey, KeyID: id,
		Roles: clone(k.Roles), Teams: clone(k.Teams), Scopes: clone(k.Scopes),
		ExpiresAt: k.ExpiresAt, Fingerprint: fingerprint(credential, k.Subject, k.Roles),
	}
}

// clone copies a list, so that a later change by the owner of k cannot reach a principal. It never returns nil.
func clone(s []string) []string { return append(make([]string, 0, len(s)), s...) }
