package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sark/internal/audit"
	"sark/internal/authn"
)

// ExchangeOptions say where a caller's token is exchanged for one that a server accepts (RFC 8693). The zero value
// exchanges nothing.
type ExchangeOptions struct {
	// TokenURL is the token endpoint.
	TokenURL string
	// ClientID and ClientSecret are the gateway's (RFC 6749 section 2.3.1); without a secret only the id is sent.
	ClientID, ClientSecret string
	// Resource (RFC 8707), Audience and Scope are sent when they are not empty.
	Resource, Audience, Scope string
	// Timeout bounds one exchange; default 5 s.
	Timeout time.Duration
}

const (
	// expiryMargin is how long before its end a token is not used any more.
	expiryMargin = 10 * time.Second
	// unknownLifetime is how long a token is used whose answer tells no lifetime.
	unknownLifetime = time.Minute
	// maxExchanged is how many tokens are kept for one server.
	maxExchanged = 10_000
	// maxTokenReply is how much of a token endpoint's answer is read, in bytes.
	maxTokenReply = 64 << 10
)

// exchanger obtains tokens for one server and keeps them until they end, by the digest of the token that each was made
// for. Callers with the same token wait for one exchange.
type exchanger struct {
	o      ExchangeOptions
	client *http.Client

	mu     sync.Mutex // guards tokens
	tokens map[[sha256.Size]byte]*exchanged
}

// exchanged is a token, or one on its way.
type exchanged struct {
	ready  chan struct{} // closed when the rest is set
	header []byte        // of Authorization
	until  time.Time
	err    error
}

func newExchanger(o ExchangeOptions) *exchanger {
	if o.TokenURL == "" {
		return nil
	}
	setDefault(&o.Timeout, 5*time.Second)
	return &exchanger{o: o, tokens: map[[sha256.Size]byte]*exchanged{}, client: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true}, // exchanges are rare
		// The caller's token and our secret go to the endpoint that was configured, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// token returns the Authorization header for whoever has the subject token. The error is errSubject when that token is not
// accepted.
func (e *exchanger) token(subject string, clock func() time.Time) ([]byte, error) {
	key := sha256.Sum256([]byte(subject))
	e.mu.Lock()
	t := e.tokens[key]
	if t == nil || t.over(clock()) {
		t = &exchanged{ready: make(chan struct{})}
		e.keep(key, t, clock())
		e.mu.Unlock()
		e.fill(t, subject, clock)
		return t.header, t.err
	}
	e.mu.Unlock()
	<-t.ready // whoever fills it is bounded
	return t.header, t.err
}

// over reports whether an exchange is done and its token, if it gave one, no more of use.
func (t *exchanged) over(now time.Time) bool {
	select {
	case <-t.ready:
		return t.err != nil || !now.Before(t.until)
	default:
		return false
	}
}

// keep remembers an exchange. The exchanger is locked. A full memory forgets what has ended, or else everything.
func (e *exchanger) keep(key [sha256.Size]byte, t *exchanged, now time.Time) {
	if len(e.tokens) >= maxExchanged {
		for k, old := range e.tokens {
			if old.over(now) {
				delete(e.tokens, k)
			}
		}
		if len(e.tokens) >= maxExchanged {
			clear(e.tokens)
		}
	}
	e.tokens[key] = t
}

func (e *exchanger) fill(t *exchanged, subject string, clock func() time.Time) {
	t.err = errExchange // should it panic
	defer close(t.ready)
	began := clock()
	token, lifetime, err := e.ask(subject)
	t.err = err
	if err == nil {
		t.header, t.until = []byte("Bearer "+token), began.Add(max(lifetime-expiryMargin, lifetime/2))
	}
}

var (
	errExchange = errors.New("token exchange failed")
	errSubject  = errors.New("the authorization server does not accept the caller's token")
)

// answer is the reply of a token endpoint (RFC 8693 section 2.2, RFC 6749 section 5.2).
type answer struct {
	Token     string  `json:"access_token"`
	Type      string  `json:"token_type"`
	ExpiresIn float64 `json:"expires_in"`
	Error     string  `json:"error"`
}

// ask makes one exchange. Errors tell no token: descriptions of the endpoint are not repeated.
func (e *exchanger) ask(subject string) (token string, lifetime time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.o.TokenURL, strings.NewReader(e.form(subject).Encode()))
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", errExchange, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if e.o.ClientSecret != "" {
		req.SetBasicAuth(url.QueryEscape(e.o.ClientID), url.QueryEscape(e.o.ClientSecret))
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", errExchange, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	var a answer
	err = json.NewDecoder(io.LimitReader(resp.Body, maxTokenReply)).Decode(&a)
	switch {
	case resp.StatusCode == http.StatusBadRequest && (a.Error == "invalid_grant" || a.Error == "invalid_request"):
		return "", 0, errSubject
	case resp.StatusCode != http.StatusOK:
		return "", 0, fmt.Errorf("%w: status %d", errExchange, resp.StatusCode)
	case err != nil:
		return "", 0, fmt.Errorf("%w: the answer is no JSON", errExchange)
	case !strings.EqualFold(a.Type, "Bearer") || !sendable(a.Token):
		return "", 0, fmt.Errorf("%w: the answer holds no bearer token", errExchange)
	}
	if a.ExpiresIn <= 0 {
		return a.Token, unknownLifetime, nil
	}
	return a.Token, time.Duration(min(a.ExpiresIn, 24*3600) * float64(time.Second)), nil
}

func (e *exchanger) form(subject string) url.Values {
	const accessToken = "urn:ietf:params:oauth:token-type:access_token" // #nosec G101 -- the name of a type
	form := url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {subject}, "subject_token_type": {accessToken}, "requested_token_type": {accessToken},
	}
	for name, value := range map[string]string{"resource": e.o.Resource, "audience": e.o.Audience, "scope": e.o.Scope} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if e.o.ClientSecret == "" {
		form.Set("client_id", e.o.ClientID)
	}
	return form
}

// sendable reports whether text can be a bearer token in a header (RFC 6750 section 2.1).
func sendable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return text != ""
}

// credential returns the Authorization header that goes to the server in place of the caller's, nil for none. It must be
// asked before the caller's is taken off the request.
func (u *upstream) credential(x *Exchange) ([]byte, *Problem) {
	if u.exchanger == nil {
		return u.static, nil
	}
	_, subject, _ := strings.Cut(string(x.ctx.Request.Header.Peek("Authorization")), " ")
	if x.Principal.Method != authn.MethodJWT {
		return nil, &Problem{Status: 401, Rule: "token_exchange", Reason: "the server wants a token, and the caller has none", Challenge: x.h.challenge(x, authn.CodeNoCredential)}
	}
	header, err := u.exchanger.token(strings.TrimSpace(subject), x.h.o.Now)
	switch {
	case errors.Is(err, errSubject):
		return nil, &Problem{Status: 401, Rule: "token_exchange", Reason: "the caller's token is not accepted for this server", Challenge: x.h.challenge(x, authn.CodeInvalidToken), Cause: err}
	case err != nil:
		return nil, &Problem{Status: 502, Rule: "token_exchange", Reason: "no token can be had for the server", Outcome: audit.OutcomeUpstreamFailed, Cause: err}
	}
	return header, nil
}
