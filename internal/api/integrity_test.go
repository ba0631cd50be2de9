package api_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/uuid"

	"sark/internal/api"
	"sark/store"
)

// chain is what a gateway knows of its chain.
type chain struct {
	key              ed25519.PublicKey
	stored, recorded *store.Head
}

func (c chain) DigestKeys() []ed25519.PublicKey       { return []ed25519.PublicKey{c.key} }
func (c chain) Heads() (stored, recorded *store.Head) { return c.stored, c.recorded }

func TestIntegrity(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	writer := uuid.MustParse("01900000-0000-7000-8000-000000000001")
	head := store.Head{Writer: writer, Seq: 7, Hash: [32]byte{0xab}}
	g := newGateway(t, func(o *api.Options) { o.Integrity = chain{key, nil, &head} })

	diff(t, "keys", any(map[string]any{"items": []any{map[string]any{
		"key_id": store.KeyID(key), "algorithm": "ed25519", "public_key": store.FormatPublicKey(key),
	}}}), g.get(t, "/api/v1/audit/keys").Body)
	const hash = "ab00000000000000000000000000000000000000000000000000000000000000"
	diff(t, "head", any(map[string]any{"stored": nil, "recorded": map[string]any{
		"writer_id": writer.String(), "seq": 7.0, "hash": hash, "head": writer.String() + ":7:" + hash,
	}}), g.get(t, "/api/v1/audit/head").Body)
}

func TestIntegrityOfAGatewayWithoutATrail(t *testing.T) {
	g := newGateway(t, nil)
	diff(t, "keys", any(map[string]any{"items": []any{}}), g.get(t, "/api/v1/audit/keys").Body)
	diff(t, "head", any(map[string]any{"stored": nil, "recorded": nil}), g.get(t, "/api/v1/audit/head").Body)
}
