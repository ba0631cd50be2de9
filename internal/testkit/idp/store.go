package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

var errUnknown = errors.New("unknown request, code or client")

// store keeps what the library asks for. The methods of the interface that are not here belong to flows that no test takes:
// refresh tokens, introspection, sessions.
type store struct {
	op.Storage
	options Options

	mu       sync.Mutex
	key      signingKey
	requests map[string]*request // by id
	codes    map[string]string   // id by code
	asked    [][]string
}

func newStore(o Options) *store {
	return &store{options: o, requests: map[string]*request{}, codes: map[string]string{}}
}

func (s *store) rotate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = signingKey{key, s.key.number + 1}
}

func (s *store) consent(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		r.done = true
	}
}

func (s *store) scopes() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// CreateAuthRequest implements op.AuthStorage.
func (s *store) CreateAuthRequest(ctx context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	resource, _ := ctx.Value(resourceKey{}).(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &request{asked: asked, id: strconv.Itoa(len(s.requests) + 1), subject: s.options.Subject, resource: resource}
	s.requests[r.id] = r
	s.asked = append(s.asked, slices.Sorted(slices.Values(asked.Scopes)))
	return r, nil
}

// AuthRequestByID implements op.AuthStorage.
func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

// AuthRequestByCode implements op.AuthStorage.
func (s *store) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[s.codes[code]]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

// SaveAuthCode implements op.AuthStorage.
func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest implements op.AuthStorage: codes are good for one token.
func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[id] = nil
	return nil
}

// CreateAccessToken implements op.AuthStorage.
func (s *store) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(s.options.Lifetime), nil
}

// SigningKey implements op.AuthStorage.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key, nil
}

// SignatureAlgorithms implements op.AuthStorage.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

// KeySet implements op.AuthStorage.
func (s *store) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []op.Key{publicKey{s.key}}, nil
}

// GetClientByClientID implements op.OPStorage.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != Client {
		return nil, errUnknown
	}
	return client{s.options.Scopes}, nil
}

// SetUserinfoFromScopes implements op.OPStorage: ID tokens say no more than the subject.
func (s *store) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// GetPrivateClaimsFromScopes implements op.OPStorage: the claims of access tokens beside those of RFC 7519.
func (s *store) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " "), "roles": s.options.Roles}, nil
}

// Health implements op.Storage.
func (s *store) Health(context.Context) error { return nil }

// signingKey is the private key.
type signingKey struct {
	key    *ecdsa.PrivateKey
	number int
}

// SignatureAlgorithm implements op.SigningKey.
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }

// Key implements op.SigningKey.
func (k signingKey) Key() any { return k.key }

// ID implements op.SigningKey.
func (k signingKey) ID() string { return fmt.Sprintf("key-%d", k.number) }

// publicKey is the half that is published.
type publicKey struct{ signingKey }

// Algorithm implements op.Key.
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }

// Use implements op.Key.
func (k publicKey) Use() string { return "sig" }

// Key implements op.Key.
func (k publicKey) Key() any { return &k.key.PublicKey }
