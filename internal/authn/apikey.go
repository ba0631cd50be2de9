package authn

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	keyPrefix    = "sark_"
	maxKeyID     = 32  // characters
	secretBytes  = 32  // bytes of randomness in a new key
	minSecretLen = 32  // characters: 128 bits in hexadecimal
	maxSecretLen = 128 // characters
	maxKeyLen    = len(keyPrefix) + maxKeyID + 1 + maxSecretLen
	hashPrefix   = "sha256:"
)

// APIKey is what is known of an API key. The key itself is not: only a digest of its secret.
type APIKey struct {
	// ID names the key: 1 to 32 of a-z, 0-9 and "-". It is part of the key and not secret.
	ID string
	// Hash is the SHA-256 of the secret part (see HashSecret). Secrets are random and long, so that a slow hash would add
	// delay to each request and no safety.
	Hash [32]byte
	// Subject becomes the ID of the principal. Required.
	Subject string
	// Roles, Teams and Scopes become those of the principal. They may be nil.
	Roles, Teams, Scopes []string
	// ExpiresAt is when the key stops working; zero means never.
	ExpiresAt time.Time
	// Revoked says that the key must not be accepted any more.
	Revoked bool
}

// KeyFinder finds API keys that were made while the gateway runs.
type KeyFinder interface {
	// FindAPIKey returns the key with this ID. It returns false and no error when there is none; an error means that it
	// is not known whether there is one.
	FindAPIKey(ctx context.Context, id string) (APIKey, bool, error)
}

// NewAPIKey makes a key for the given ID: "sark_<id>_<secret>" with 256 bits of randomness in base64url. The key is shown
// to its owner once; the hash is what gets stored. An ID that ParseAPIKey would not accept is an error.
func NewAPIKey(id string) (key string, hash [32]byte, err error) {
	if !validKeyID(id) {
		return "", hash, fmt.Errorf("API key id %q: must be 1 to %d of a-z, 0-9 and \"-\"", id, maxKeyID)
	}
	var random [secretBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", hash, fmt.Errorf("read randomness for API key %q: %w", id, err)
	}
	secret := base64.RawURLEncoding.EncodeToString(random[:])
	return keyPrefix + id + "_" + secret, HashSecret(secret), nil
}

// ParseAPIKey splits "sark_<id>_<secret>". The ID is 1 to 32 of a-z, 0-9 and "-"; the secret is 32 to 128 characters of
// the base64url alphabet. It reports false for anything else.
func ParseAPIKey(s string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(s, keyPrefix)
	if !ok {
		return "", "", false
	}
	id, secret, ok = strings.Cut(rest, "_")
	if !ok || !validKeyID(id) || !validSecret(secret) {
		return "", "", false
	}
	return id, secret, true
}

// HashSecret returns the SHA-256 of the secret part of an API key.
func HashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// FormatHash returns a hash as configuration and store spell it: "sha256:" and 64 hexadecimal digits.
func FormatHash(hash [32]byte) string { return hashPrefix + hex.EncodeToString(hash[:]) }

// ParseHash reads what FormatHash writes.
func ParseHash(s string) (hash [32]byte, err error) {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	if !ok {
		return hash, errors.New(`API key hash: must begin with "sha256:"`)
	}
	if len(digits) != hex.EncodedLen(len(hash)) {
		return hash, fmt.Errorf("API key hash: must have %d hexadecimal digits", hex.EncodedLen(len(hash)))
	}
	if _, err := hex.Decode(hash[:], []byte(digits)); err != nil {
		return [32]byte{}, errors.New("API key hash: must be hexadecimal")
	}
	return hash, nil
}

// validKeyID reports whether s may name a key. It has no underscore, which ends it.
func validKeyID(s string) bool {
	if len(s) == 0 || len(s) > maxKeyID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// validSecret reports whether s may be a secret.
func validSecret(s string) bool {
	if len(s) < minSecretLen || len(s) > maxSecretLen {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
