package rig

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// FreeAddr returns a loopback address ("127.0.0.1:port") that nobody listened on a moment ago. Another process may
// take it before the caller does; the caller's listen then fails, so a wrong service is never reached silently.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("free port %s: %w", addr, err)
	}
	return addr, nil
}

// Listening is a readiness check for Await: it succeeds when addr accepts a TCP connection.
func Listening(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// Answering is a readiness check for Await: it succeeds when a GET of url answers 200. It keeps no connection open.
func Answering(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, Place{}.Client(), url)
		return err
	}
}

// get returns the body of a 200 answer, read to the end over a connection of its own.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d: %.200s", url, resp.StatusCode, body)
	}
	return body, nil
}
