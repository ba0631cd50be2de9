package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What the identity provider of the benchmark puts into its tokens.
const (
	issuer   = "https://idp.bench.example"
	audience = "https://gateway.bench.example"
)

// tokenSize is the length aimed at for the bearer token in bytes, that of a usual access token with a few groups.
const tokenSize = 780

// body is the call that is measured: a small tools/call of the legacy era, which needs no session and no more headers.
const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello world!"}}}`

// provider stands for the identity provider: it signs the caller's token with a key made for this run.
type provider struct {
	key *ecdsa.PrivateKey
}

func newProvider() (provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return provider{}, fmt.Errorf("make a signing key: %w", err)
	}
	return provider{key: key}, nil
}

// publicKey returns the key that verifies the tokens, as PEM.
func (p provider) publicKey() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// token returns a signed token (ES256) of about tokenSize bytes that lives for a day.
func (p provider) token() (string, error) {
	bare, err := p.sign(0)
	if err != nil {
		return "", err
	}
	return p.sign(max(0, tokenSize-len(bare)) * 3 / 4) // Base64 makes four bytes of three.
}

func (p provider) sign(padding int) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "bench", "roles": []string{"bench"}, "groups": []string{"platform"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		"padding": strings.Repeat("x", padding),
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(p.key)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// request returns the whole HTTP request of the measured call. Every variant gets the same bytes.
func request(token string) []byte {
	return fmt.Appendf(nil, "POST /mcp HTTP/1.1\r\n"+
		"Host: localhost\r\n"+
		"User-Agent: sark-bench\r\n"+
		"Accept: application/json, text/event-stream\r\n"+
		"Content-Type: application/json\r\n"+
		"Mcp-Protocol-Version: 2025-11-25\r\n"+
		"Authorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", token, len(body), body)
}
