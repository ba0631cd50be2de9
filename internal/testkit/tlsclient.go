package testkit

import (
	"bufio"
	"crypto/tls"
	"net"
	"testing"
)

// DialTLS is [Dial] over TLS. The handshake is over when it returns, on this side: a server that refuses the client's
// certificate says so at the first read.
func DialTLS(t testing.TB, addr string, config *tls.Config) *RawClient {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: Patience}, "tcp", addr, config)
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &RawClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}
