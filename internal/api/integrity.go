package api

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"

	"github.com/valyala/fasthttp"

	"sark/store"
)

// Integrity knows with what the audit trail can be verified.
type Integrity interface {
	// DigestKeys are the public keys whose signatures this gateway makes.
	DigestKeys() []ed25519.PublicKey
	// Heads are the ends of this gateway's chain: of what the store has as far as this process knows, nil before it does, and
	// of what was recorded, nil when nothing was.
	Heads() (stored, recorded *store.Head)
}

// digestKey is a public key in GET /api/v1/audit/keys.
type digestKey struct {
	KeyID     string `json:"key_id"`
	Algorithm string `json:"algorithm"`
	PublicKey string `json:"public_key"`
}

// auditKeys answers GET /api/v1/audit/keys.
func (a *API) auditKeys(_ context.Context, r *request) error {
	items := []digestKey{}
	if a.o.Integrity != nil {
		for _, key := range a.o.Integrity.DigestKeys() {
			items = append(items, digestKey{KeyID: store.KeyID(key), Algorithm: "ed25519", PublicKey: store.FormatPublicKey(key)})
		}
	}
	return writeJSON(r.out, fasthttp.StatusOK, map[string]any{"items": items})
}

// chainHead is the end of a chain in GET /api/v1/audit/head.
type chainHead struct {
	Writer string `json:"writer_id"`
	Seq    int64  `json:"seq"`
	Hash   string `json:"hash"`
	Head   string `json:"head"` // as sark audit verify --head takes it
}

func newChainHead(h *store.Head) *chainHead {
	if h == nil {
		return nil
	}
	return &chainHead{Writer: h.Writer.String(), Seq: h.Seq, Hash: hex.EncodeToString(h.Hash[:]), Head: h.String()}
}

// auditHead answers GET /api/v1/audit/head.
func (a *API) auditHead(_ context.Context, r *request) error {
	var out struct {
		Stored   *chainHead `json:"stored"`
		Recorded *chainHead `json:"recorded"`
	}
	if a.o.Integrity != nil {
		stored, recorded := a.o.Integrity.Heads()
		out.Stored, out.Recorded = newChainHead(stored), newChainHead(recorded)
	}
	return writeJSON(r.out, fasthttp.StatusOK, out)
}
