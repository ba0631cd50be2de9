package idp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is the one registered client, a public one, and RedirectURL where its codes go. Nothing listens there.
const (
	Client      = "desk-client"
	RedirectURL = "http://127.0.0.1:1/callback"
)

// Options say what tokens hold.
type Options struct {
	// Subject is the user who consents, and Roles is the claim roles.
	Subject string
	Roles   []string
	// Scopes are those that the user may grant; others are left out of the token.
	Scopes []string
	// Lifetime of access tokens; default an hour.
	Lifetime time.Duration
}

// Server is an authorization server. Make one with [New]. Its methods are safe for concurrent use.
type Server struct {
	web   *httptest.Server
	store *store
}

// New runs a server until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	s := &Server{store: newStore(o)}
	s.store.rotate(t)
	mux := http.NewServeMux()
	s.web = httptest.NewServer(mux)
	t.Cleanup(s.web.Close)
	provider, err := op.NewProvider(&op.Config{CodeMethodS256: true, SupportedScopes: o.Scopes}, s.store,
		op.StaticIssuer(s.web.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", withResource(provider))
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("id")
		s.store.consent(id)
		ctx := op.ContextWithIssuer(r.Context(), s.web.URL)
		http.Redirect(w, r, op.AuthCallbackURL(provider)(ctx, id), http.StatusFound)
	})
	return s
}

// Issuer is the iss of the tokens, and where the metadata is found.
func (s *Server) Issuer() string { return s.web.URL }

// JWKSURL is where the key set is served.
func (s *Server) JWKSURL() string { return s.web.URL + "/keys" }

// Rotate replaces the key by one with another kid.
func (s *Server) Rotate(t testing.TB) {
	t.Helper()
	s.store.rotate(t)
}

// Asked returns the scopes that the client asked for in each authorization so far, sorted: they are a set.
func (s *Server) Asked() [][]string { return s.store.scopes() }

// Authorize is the user's browser: it opens the address that a client sends it to, and returns where the server sends it
// back to, with code, state and possibly iss as the query.
func Authorize(ctx context.Context, address string) (url.Values, error) {
	var query url.Values
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != "127.0.0.1:1" {
			return nil
		}
		query = r.URL.Query()
		return http.ErrUseLastResponse
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := browser.Do(request)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	if query == nil {
		return nil, errors.New("the authorization server did not send the browser back: " + response.Status)
	}
	return query, nil
}

// resourceKey is the context key of the resource that a token is asked for.
type resourceKey struct{}

// withResource keeps the resource parameter (RFC 8707), which the library does not read, for the store.
func withResource(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), resourceKey{}, r.FormValue("resource"))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
