package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sark/store"
)

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// CreateAPIKey keeps a key; the store sets when it was made. It wraps store.ErrNameTaken when the id is in use, also by a revoked key.
func (d *DB) CreateAPIKey(ctx context.Context, k store.APIKey) error {
	defer d.timer.Observe("create_api_key", time.Now())
	return d.insertAPIKey(ctx, d.write, k)
}

// insertAPIKey is CreateAPIKey by itself or in a transaction.
func (d *DB) insertAPIKey(ctx context.Context, into execer, k store.APIKey) error {
	k.CreatedAt = d.now().UTC().Truncate(time.Microsecond)
	lists, err := jsonTexts(k.Roles, k.Teams, k.Scopes)
	if err != nil {
		return fmt.Errorf("create api key %s: %w", k.ID, err)
	}
	_, err = into.ExecContext(ctx, `INSERT INTO api_keys (id, hash, subject, description, roles, teams, scopes, created_at,
		expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, k.ID, k.Hash[:], k.Subject, k.Description, lists[0], lists[1],
		lists[2], k.CreatedAt.UnixMicro(), micros(k.ExpiresAt), micros(k.RevokedAt))
	if code(err) == codePrimaryKey {
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
	rows, err := d.read.QueryContext(ctx, `SELECT `+apiKeyColumns+` FROM api_keys ORDER BY created_at DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its error is that of rows.Err
	var keys []store.APIKey
	for rows.Next() {
		k, err := scanAPIKey(rows)
		if err != nil {
			return nil, fmt.Errorf("read api key: %w", err)
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	return keys, nil
}

// FindAPIKey returns the key of that id and whether there is one. A revoked or expired key is found too: the caller refuses
// it.
func (d *DB) FindAPIKey(ctx context.Context, id string) (store.APIKey, bool, error) {
	defer d.timer.Observe("find_api_key", time.Now())
	k, err := scanAPIKey(d.read.QueryRowContext(ctx, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return store.APIKey{}, false, nil
	}
	if err != nil {
		return store.APIKey{}, false, fmt.Errorf("find api key: %w", err)
	}
	return k, true, nil
}

// RevokeAPIKey puts a key out of force; a key that was revoked before keeps its time. It wraps store.ErrNotFound.
func (d *DB) RevokeAPIKey(ctx context.Context, id string) error {
	defer d.timer.Observe("revoke_api_key", time.Now())
	r, err := d.write.ExecContext(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?`, d.now().UnixMicro(), id)
	if err != nil {
		return fmt.Errorf("revoke api key %s: %w", id, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("revoke api key %s: %w", id, store.ErrNotFound), err)
	}
	return nil
}

// RotateAPIKey keeps next and lets the key of that id end at until, if it would not end before: both or neither. It wraps
// store.ErrNotFound when there is no key of that id in force, and store.ErrNameTaken as CreateAPIKey does.
func (d *DB) RotateAPIKey(ctx context.Context, id string, next store.APIKey, until time.Time) error {
	defer d.timer.Observe("rotate_api_key", time.Now())
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("rotate api key %s: %w", id, err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after a commit
	r, err := tx.ExecContext(ctx, `UPDATE api_keys SET expires_at = min(coalesce(expires_at, ?1), ?1)
		WHERE id = ?2 AND revoked_at IS NULL AND coalesce(expires_at > ?3, true)`, until.UnixMicro(), id, d.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("rotate api key %s: %w", id, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("rotate api key %s: %w", id, store.ErrNotFound), err)
	}
	if err := d.insertAPIKey(ctx, tx, next); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("rotate api key %s: %w", id, err)
	}
	return nil
}

func scanAPIKey(row interface{ Scan(...any) error }) (store.APIKey, error) {
	var k store.APIKey
	var hash []byte
	var roles, teams, scopes string
	var created int64
	var expires, revoked *int64
	err := row.Scan(&k.ID, &hash, &k.Subject, &k.Description, &roles, &teams, &scopes, &created, &expires, &revoked)
	if err != nil {
		return k, err
	}
	if copy(k.Hash[:], hash) != len(k.Hash) {
		return k, fmt.Errorf("hash of %d bytes", len(hash))
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt = instant(&created), instant(expires), instant(revoked)
	for text, list := range map[*string]*[]string{&roles: &k.Roles, &teams: &k.Teams, &scopes: &k.Scopes} {
		if *list, err = parseTexts(*text); err != nil {
			return k, err
		}
	}
	return k, nil
}
