package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"sark/configs"
)

const (
	// requestTimeout bounds one request to a gateway.
	requestTimeout = 30 * time.Second
	// maxReply bounds one reply, in bytes. A page is 200 events of at most some 30 KiB.
	maxReply = 16 << 20
)

// client asks the management API of a running gateway.
type client struct {
	http  *http.Client
	base  string // scheme and host
	where string // for people
	token string
}

// page is one page of the audit trail as the API gives it.
type page struct {
	Items      []event `json:"items"`
	NextCursor string  `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
	Lag        float64 `json:"lag_seconds"`

	at time.Time // when it was given, by the gateway's clock; zero when it does not say
}

// refusal is a reply that is no answer.
type refusal struct {
	status int
	detail string
}

// Error returns status and detail.
func (r *refusal) Error() string {
	if r.detail == "" {
		return fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("%d %s", r.status, r.detail)
}

// transient tells whether the same question may be answered later.
func transient(err error) bool {
	var r *refusal
	return !errors.As(err, &r) || r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
}

// newSocketClient returns a client for the gateway that listens on a unix socket. No token is needed there.
func newSocketClient(path string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://localhost", where: "unix:" + path}
}

// newClient returns a client for --api and --token-file.
func newClient(api, tokenFile string) (*client, error) {
	token, err := readToken(tokenFile)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(api, "unix:"); ok {
		c := newSocketClient(path)
		c.token = token
		return c, nil
	}
	u, err := url.Parse(api)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, misused("--api: %q should be http://HOST:PORT, https://HOST or unix:/PATH", api)
	}
	if token != "" && u.Scheme == "http" && !configs.Loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return nil, misused("--api: %s would get the token over plain HTTP; use https", u.Host)
	}
	own := http.DefaultTransport.(*http.Transport).Clone()
	return &client{http: &http.Client{Transport: own, CheckRedirect: stay}, base: u.Scheme + "://" + u.Host, where: api, token: token}, nil
}

// stay follows no redirect, which could carry the token elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the user's own file
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \r\n\t") {
		return "", misused("--token-file: %s should hold one API key or token", file)
	}
	return token, nil
}

// events asks for one page of the audit trail.
func (c *client) events(ctx context.Context, query url.Values) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/audit/events?"+query.Encode(), nil)
	if err != nil {
		return page{}, err
	}
	r.Header.Set("User-Agent", "sark/"+currentBuild().Version)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return page{}, plainCause(err)
	}
	defer reply.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return page{}, fmt.Errorf("read the reply: %w", err)
	}
	if reply.StatusCode != http.StatusOK {
		return page{}, &refusal{reply.StatusCode, detailOf(body)}
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return page{}, &refusal{reply.StatusCode, "the reply is no page of an audit trail"}
	}
	if p.at, err = http.ParseTime(reply.Header.Get("Date")); err != nil {
		p.at = time.Time{}
	}
	return p, nil
}

// plainCause drops the verb and the URL that net/http puts before an error.
func plainCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// detailOf returns the sentence of a problem of the API, empty when the body is none.
func detailOf(body []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return problem.Detail
}

// close ends idle connections.
func (c *client) close() { c.http.CloseIdleConnections() }
