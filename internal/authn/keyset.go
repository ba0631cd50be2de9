package authn

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// maxKeys bounds how many keys a set may have.
const maxKeys = 256

// keySet is what an issuer signs with. It is immutable; a change of keys makes a new set, so that comparing two pointers
// tells whether the keys have changed.
type keySet struct {
	keys   []publicKey
	digest [32]byte // of the document
}

// publicKey is one key, with the algorithms that it may be used with. A key without an ID fits every token.
type publicKey struct {
	id         string
	key        crypto.PublicKey
	algorithms []string
}

// candidates returns the keys that may have signed a token whose header has this kid ("" when it has none) and alg.
func (s *keySet) candidates(kid, alg string) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, k := range s.keys {
		if (kid == "" || k.id == "" || k.id == kid) && slices.Contains(k.algorithms, alg) {
			found = append(found, k.key)
		}
	}
	return found
}

// parseKeys reads a static key: PEM blocks or a JWKS document. All of it must be usable.
func parseKeys(doc []byte) (*keySet, error) {
	doc = bytes.TrimSpace(doc)
	if bytes.HasPrefix(doc, []byte("{")) {
		set, err := parseJWKS(doc)
		if err != nil {
			return nil, err
		}
		if len(set.keys) == 0 {
			return nil, errors.New("no key of the set is a public signature key that is supported")
		}
		return set, nil
	}
	return parsePEM(doc)
}

// parseJWKS reads a JWKS document (RFC 7517 section 5). Keys that cannot be used, such as those for encryption, are left
// out, so that a new kind of key at the issuer does not take the others away.
func parseJWKS(doc []byte) (*keySet, error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(doc, &set); err != nil {
		return nil, errors.New("the JWKS document is not the JSON of a key set")
	}
	if set.Keys == nil {
		return nil, errors.New(`the JWKS document has no "keys"`)
	}
	if len(*set.Keys) > maxKeys {
		return nil, fmt.Errorf("the JWKS document has more than %d keys", maxKeys)
	}
	s := &keySet{digest: sha256.Sum256(doc)}
	for _, raw := range *set.Keys {
		if k, ok := parseJWK(raw); ok {
			s.keys = append(s.keys, k)
		}
	}
	return s, nil
}

// parseJWK reads one key and reports whether it may verify signatures. Only the public part is read.
func parseJWK(raw []byte) (publicKey, bool) {
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, false
	}
	m := jwk.Marshal()
	if m.USE != "" && m.USE != jwkset.UseSig {
		return publicKey{}, false
	}
	if len(m.KEYOPS) != 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return publicKey{}, false
	}
	algorithms := algorithmsOf(jwk.Key())
	if alg := m.ALG.String(); alg != "" {
		if !slices.Contains(algorithms, alg) {
			return publicKey{}, false
		}
		algorithms = []string{alg}
	}
	return publicKey{id: m.KID, key: jwk.Key(), algorithms: algorithms}, len(algorithms) != 0
}

// parsePEM reads public keys and certificates.
func parsePEM(doc []byte) (*keySet, error) {
	s := &keySet{digest: sha256.Sum256(doc)}
	for rest := doc; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) != 0 || len(s.keys) == 0 {
				return nil, errors.New("the key is neither PEM nor a JWKS document")
			}
			return s, nil
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		algorithms := algorithmsOf(key)
		if algorithms == nil {
			return nil, fmt.Errorf("PEM block %q: %T of this kind or size is not accepted", block.Type, key)
		}
		s.keys = append(s.keys, publicKey{key: key, algorithms: algorithms})
	}
}

// parseBlock reads one PEM block.
func parseBlock(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse public key: %w", err)
		}
		return key, nil
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse RSA public key: %w", err)
		}
		return key, nil
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("PEM block %q is not a public key", block.Type)
}
