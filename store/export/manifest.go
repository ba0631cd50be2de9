package export

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// The names of the files beside the file of events.
const (
	ManifestSuffix = ".manifest.json"
	DigestsSuffix  = ".digests.ndjson"
)

// purpose is what manifests are signed for.
const purpose = "sark audit export 1"

// Manifest says what an export holds.
type Manifest struct {
	Version   int               `json:"version"` // 1
	Format    Format            `json:"format"`
	CreatedAt time.Time         `json:"created_at"`
	Filter    map[string]string `json:"filter"` // flags that chose events, by their names; empty: all
	Rows      int64             `json:"rows"`
	FirstTime *time.Time        `json:"first_time,omitempty"` // of the earliest event
	LastTime  *time.Time        `json:"last_time,omitempty"`  // of the latest
	Writers   []Writer          `json:"writers"`
	Files     []File            `json:"files"`
	// Retention is what the trail said was removed for its age, so that it is not missing in the export.
	Retention []store.RetentionMark `json:"retention,omitempty"`
	KeyID     string                `json:"key_id"`
	PublicKey string                `json:"public_key"`
}

// Writer is what an export has of a writer.
type Writer struct {
	ID       uuid.UUID `json:"writer_id"`
	FirstSeq int64     `json:"first_seq"`
	LastSeq  int64     `json:"last_seq"`
	Rows     int64     `json:"rows"`
	Offset   int64     `json:"offset"`  // up to which number the trail claimed to have events
	Digests  int64     `json:"digests"` // that account for FirstSeq to LastSeq
}

// File is a file of an export, beside the manifest.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
}

// signature is the second line of a manifest file.
type signature struct {
	KeyID     string `json:"key_id"`
	Signature string `json:"signature"`
}

// encode writes a manifest on one line, and its signature on the next.
func (m *Manifest) encode(key *store.DigestKey) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	sig, err := json.Marshal(signature{key.ID(), hex.EncodeToString(key.Sign(purpose, text))})
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return append(append(append(text, '\n'), sig...), '\n'), nil
}

// ErrSignature says that nobody who is trusted has signed a manifest.
var ErrSignature = errors.New("the manifest is not signed by a key that is trusted")

// ReadManifest reads the manifest of the export whose events are in the file at path, and checks its signature. An error about
// the signature wraps ErrSignature.
func ReadManifest(path string, keys []ed25519.PublicKey) (*Manifest, error) {
	content, err := os.ReadFile(path + ManifestSuffix) //nolint:gosec // the operator's file
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	text, rest, _ := bytes.Cut(content, []byte{'\n'})
	var sig signature
	var m Manifest
	if err := errors.Join(json.Unmarshal(rest, &sig), json.Unmarshal(text, &m)); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	raw, err := hex.DecodeString(sig.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	for _, key := range keys {
		if store.CheckSignature(key, purpose, text, raw) {
			return &m, nil
		}
	}
	return nil, fmt.Errorf("%w: it names key %q", ErrSignature, sig.KeyID)
}
