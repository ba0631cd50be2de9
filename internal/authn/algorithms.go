package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"
)

const (
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 8192 // larger keys make a token expensive to check
)

// asymmetric lists the algorithms that a token may be signed with (RFC 7518 section 3.1, RFC 8037).
func asymmetric() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// isAsymmetric reports whether alg is one of them.
func isAsymmetric(alg string) bool { return slices.Contains(asymmetric(), alg) }

// algorithmsOf lists the algorithms that a public key may be used with, nil when it must not be used at all. Tying the
// algorithm to the key, and never the key to what a token says, is what stops an RSA key from being used as an HMAC secret
// (RFC 8725 section 3.1). Elliptic curves have one algorithm each.
func algorithmsOf(key crypto.PublicKey) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits || k.E < 3 || k.E%2 == 0 {
			return nil
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
