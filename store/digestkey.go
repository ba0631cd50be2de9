package store

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sark/internal/atomicfile"
)

// DigestKey signs the digests of a gateway.
type DigestKey struct{ private ed25519.PrivateKey }

// publicKeyPrefix begins a public key in its written form.
const publicKeyPrefix = "ed25519:"

const pemType = "PRIVATE KEY"

// OpenDigestKey reads the key in a file, PKCS #8 in PEM (RFC 8410), and makes it when there is none. The file is readable by
// its owner only.
func OpenDigestKey(path string) (*DigestKey, error) {
	key, err := ReadDigestKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeDigestKey(path)
	}
	return key, err
}

// ReadDigestKey reads the key in a file. Its error wraps fs.ErrNotExist when there is none.
func ReadDigestKey(path string) (*DigestKey, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator's path
	if err != nil {
		return nil, fmt.Errorf("read the digest key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("read the digest key: %s holds no private key in PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the digest key %s: %w", path, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read the digest key: %s holds a %T, not an Ed25519 key", path, key)
	}
	return &DigestKey{private}, nil
}

func makeDigestKey(path string) (*DigestKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the digest key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make the digest key: %w", err)
	}
	if err := atomicfile.Write(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})); err != nil {
		return nil, fmt.Errorf("keep the digest key: %w", err)
	}
	return &DigestKey{private}, nil
}

// Public is the part of the key that everybody may know.
func (k *DigestKey) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) } //nolint:forcetypeassert // by its documentation

// ID is the KeyID of the public key.
func (k *DigestKey) ID() string { return KeyID(k.Public()) }

// KeyID is the name of a public key in digests: the first 16 hexadecimal digits of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// FormatPublicKey writes a public key on one line: "ed25519:" and its 32 bytes in base64.
func FormatPublicKey(key ed25519.PublicKey) string {
	return publicKeyPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParsePublicKey reads what FormatPublicKey has written.
func ParsePublicKey(s string) (ed25519.PublicKey, error) {
	text, ok := strings.CutPrefix(s, publicKeyPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("not a public key: it should be ed25519: and 44 characters of base64")
	}
	return key, nil
}

// Sign signs a message for a purpose, whose name keeps the signature from being one of anything else (RFC 8032).
func (k *DigestKey) Sign(purpose string, message []byte) []byte {
	return ed25519.Sign(k.private, signed(purpose, message))
}

// CheckSignature reports whether a key has signed a message for a purpose.
func CheckSignature(key ed25519.PublicKey, purpose string, message, signature []byte) bool {
	return ed25519.Verify(key, signed(purpose, message), signature)
}

func signed(purpose string, message []byte) []byte {
	return append([]byte(purpose+"\x00"), message...)
}
