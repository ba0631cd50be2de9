package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sark/store"
)

// CreateAPIKey keeps a key; the store sets when it was made. It wraps store.ErrNameTaken when the id is in use, also by a
// revoked key.
func (d *DB) CreateAPIKey(ctx context.Context, k store.APIKey) error {
	defer d.timer.Observe("create_api_key", time.Now())
	lists, err := jsonTexts(k.Roles, k.Teams, k.Scopes)
	if err != nil {
		return fmt.Errorf("create api key %s: %w", k.ID, err)
	}
	_, err = d.exec(ctx, `INSERT INTO api_keys (id, hash, subject, description, roles, teams, scopes, created_at,
		expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, k.ID, k.Hash[:], k.Subject, k.Description,
		lists[0], lists[1], lists[2], d.now(), optional(k.ExpiresAt), optional(k.RevokedAt))
	if state(err) == codeUnique {
		err = fmt.Errorf("%w: %w", store.ErrNameTaken, err)
	}
	if err != nil {
		return fmt.Errorf("create api key %s: %w", k.ID, err)
	}
	return nil
}

// apiKeyColumns are the columns that scanAPIKey reads.
const apiKeyColumns = `id, hash, subject, description, roles, teams, scopes, created_at, expires_at, revoked_at` //nolint:gosec // names

// APIKeys lists every key, revoked ones too, newest first.
func (d *DB) APIKeys(ctx context.Context) ([]store.APIKey, error) {
	defer d.timer.Observe("api_keys", time.Now())
	keys, err := list(ctx, d.api, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys ORDER BY created_at DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	return keys, nil
}

// FindAPIKey returns the key of that id and whether there is one. A revoked or expired key is found too: the caller refuses
// it.
func (d *DB) FindAPIKey(ctx context.Context, id string) (store.APIKey, bool, error) {
	defer d.timer.Observe("find_api_key", time.Now())
	keys, err := list(ctx, d.api, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1`, id)
	if err != nil {
		return store.APIKey{}, false, fmt.Errorf("find api key: %w", err)
	}
	if len(keys) == 0 {
		return store.APIKey{}, false, nil
	}
	return keys[0], true, nil
}

// RevokeAPIKey puts a key out of force; a key that was revoked before keeps its time. It wraps store.ErrNotFound.
func (d *DB) RevokeAPIKey(ctx context.Context, id string) error {
	defer d.timer.Observe("revoke_api_key", time.Now())
	n, err := d.exec(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2`, d.now(), id)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke api key %s: %w", id, err)
	}
	return nil
}

func scanAPIKey(row pgx.CollectableRow) (store.APIKey, error) {
	var k store.APIKey
	var hash []byte
	var expires, revoked *time.Time
	err := row.Scan(&k.ID, &hash, &k.Subject, &k.Description, (*texts)(&k.Roles), (*texts)(&k.Teams), (*texts)(&k.Scopes),
		&k.CreatedAt, &expires, &revoked)
	if err != nil {
		return k, err
	}
	if copy(k.Hash[:], hash) != len(k.Hash) {
		return k, errors.New("hash is not one of SHA-256")
	}
	k.ExpiresAt, k.RevokedAt = instant(expires), instant(revoked)
	return k, nil
}
