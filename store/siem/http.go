package siem

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// HTTPOptions say how a receiver that speaks HTTP is reached.
type HTTPOptions struct {
	// URL is the address, http or https. Required.
	URL string
	// TLS returns the configuration of the next connection; nil is the system's.
	TLS func() *tls.Config
	// Headers are sent with every request.
	Headers map[string]string
	// Gzip compresses what is sent.
	Gzip bool
}

// maxReply is how much of a reply is read.
const maxReply = 64 << 10

// poster sends bodies to one address.
type poster struct {
	o      HTTPOptions
	client *http.Client
}

func newPoster(o HTTPOptions) (*poster, error) {
	if o.URL == "" {
		return nil, errors.New("option URL is required")
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	if o.TLS != nil {
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, network, address, o.TLS())
		}
	}
	return &poster{o: o, client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would carry the token elsewhere
	}}}, nil
}

// dialTLS connects as http.Transport would, with a configuration that is asked for at each connection.
func dialTLS(ctx context.Context, network, address string, c *tls.Config) (net.Conn, error) {
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		c.ServerName = host
	}
	d := tls.Dialer{Config: c}
	return d.DialContext(ctx, network, address)
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// post sends a body and returns the reply's. A status other than 2xx is an error, which wraps ErrRejected when the content is
// to blame, and is a RetryError when the receiver says when to come back.
func (p *poster) post(ctx context.Context, url, contentType string, body []byte, headers map[string]string) ([]byte, error) {
	encoded, err := p.encode(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for _, set := range []map[string]string{p.o.Headers, headers, {"Content-Type": contentType}} {
		for name, value := range set {
			req.Header.Set(name, value)
		}
	}
	if p.o.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	return reply, judge(resp, reply)
}

func (p *poster) encode(body []byte) ([]byte, error) {
	if !p.o.Gzip {
		return body, nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return b.Bytes(), nil
}

// judge says what a reply means. Its body may say why, and holds nothing of ours that is secret.
func judge(resp *http.Response, reply []byte) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	const excerpt = 200
	err := fmt.Errorf("the receiver answered %s: %.*q", resp.Status, excerpt, reply)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	if s, parseErr := strconv.Atoi(resp.Header.Get("Retry-After")); parseErr == nil && s > 0 {
		return &RetryError{After: time.Duration(s) * time.Second, Err: err}
	}
	return err
}
