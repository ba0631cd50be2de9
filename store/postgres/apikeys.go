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
	return d.insertAPIKey(ctx, d.exec, k)
}

// insertAPIKey is CreateAPIKey by itself or in a transaction, as exec is.
func (d *DB) insertAPIKey(ctx context.Context, exec func(context.Context, string, ...any) (int64, error), k store.APIKey) error {
	lists, err := jsonTexts(k.Roles, k.Teams, k.Scopes)
	if err != nil {
		return fmt.Errorf("create api key %s: %w", k.ID, err)
	}
	_, err = exec(ctx, `INSERT INTO api_keys (id, hash, subject, description, roles, teams, scopes, created_at,
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

// RotateAPIKey keeps next and lets the key of that id end at until, if it would not end before: both or neither. It wraps
// store.ErrNotFound when there is no key of that id in force, and store.ErrNameTaken as CreateAPIKey does.
func (d *DB) RotateAPIKey(ctx context.Context, id string, next store.APIKey, until time.Time) error {
	defer d.timer.Observe("rotate_api_key", time.Now())
	c, err := d.api.acquire(ctx)
	if err != nil {
		return fmt.Errorf("rotate api key %s: %w", id, err)
	}
	defer c.Release()
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		exec := func(ctx context.Context, statement string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, statement, storable(args)...)
			return tag.RowsAffected(), err
		}
		n, err := exec(ctx, `UPDATE api_keys SET expires_at = least(expires_at, $1)
			WHERE id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)`, until, id, d.now())
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		return d.insertAPIKey(ctx, exec, next)
	})
	if err != nil {
		return fmt.Errorf("rotate api key %s: %w", id, err)
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
